/* What some of OpenSSH's sources see before their own headers when build.sh makes gsissh and gsisshd of them. */

#ifndef ARGOSY_GSI_H
#define ARGOSY_GSI_H

#include "includes.h"

#include <sys/types.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef GSI_IN_CLIENT

/* Whether nobody has said as whom to log in: then the server may go by the certificate. */
extern int gsi_implicit;
#define gsi_user(user) (gsi_implicit ? "" : (user))
#ifdef GSI_IN_MAIN
int gsi_implicit;
#endif

#else

#include "log.h"
#include "ssherr.h"
#include "xmalloc.h"
#include "sshbuf.h"
#include "sshkey.h"
#include "packet.h"
#include "hostfile.h"
#include "auth.h"
#include "ssh-gss.h"
#include "monitor_wrap.h"

extern ssh_gssapi_mech gsi_mech, gsi_mech_micv2;

OM_uint32 gsi_accept(OM_uint32 *, gss_ctx_id_t *, gss_cred_id_t, gss_buffer_t, gss_name_t *, gss_OID *, gss_buffer_t,
    OM_uint32 *, gss_cred_id_t *);
OM_uint32 gsi_export_name(OM_uint32 *, gss_name_t, gss_buffer_t, gss_OID);
struct passwd *gsi_getpwnamallow(struct ssh *, char **);
void gsi_named(struct ssh *, Authctxt *, char **, const char *);
const char *gsi_asked(const char *);
void gsi_failed(struct ssh *, OM_uint32);

#ifdef GSI_IN_SERVER
/* The library is asked by way of gsi.c, which does what it lacks and remembers what is wanted later. */
#define gss_accept_sec_context(minor, context, cred, in, binding, name, mech, out, flags, time, delegated) \
	gsi_accept(minor, context, cred, in, name, mech, out, flags, delegated)
#define gss_export_name(minor, name, out) gsi_export_name(minor, name, out, ctx->oid)
#define gss_inquire_cred_by_mech(minor, cred, mech, name, from, until, usage) \
	gss_inquire_cred(minor, cred, name, NULL, usage, NULL)
#define getpwnamallow(ssh, user) gsi_getpwnamallow(ssh, &(user))
#define ssh_gssapi_buildmic(b, user, service, context, id) ssh_gssapi_buildmic(b, gsi_asked(user), service, context, id)

/* What is taken from a packet here is wanted beyond the next one: GSI takes several rounds, Kerberos one. */
static inline int
gsi_copied(struct ssh *ssh, struct sshbuf **to)
{
	u_char *data;
	size_t length;
	int r;

	if ((r = sshpkt_get_string(ssh, &data, &length)) != 0)
		return r;
	r = (*to = sshbuf_new()) == NULL ? SSH_ERR_ALLOC_FAIL : sshbuf_put(*to, data, length);
	free(data);
	return r;
}
#define sshpkt_getb_froms gsi_copied

/* Debian's patch forgets delegated credentials in Kerberos's way; ours are files, and `data` is the name of one. */
typedef void *krb5_ccache;
typedef int krb5_error_code;
#define krb5_cc_resolve(data, value, cache) 0
#define krb5_cc_destroy(data, cache) unlink(data)
#define krb5_get_err_text(data, problem) "?"
#define krb5_free_context(data) free(data)
#endif

#endif
#endif
