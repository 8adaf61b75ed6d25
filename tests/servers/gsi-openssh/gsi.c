/*
 * GSI as a mechanism of OpenSSH's server, for the tests of gsissh:// urls: who is let in by a proxy certificate is for
 * the grid-mapfile to say, and a proxy that was delegated becomes a file of the account's.
 *
 * Written against RFC 2743, RFC 4462 and the headers of globus_gssapi_gsi and globus_gss_assist.
 */

#include "gsi.h"

#include <sys/mman.h>

#include <stdarg.h>
#include <string.h>

#include <globus_gss_assist.h>

#include "misc.h"
#include "servconf.h"
#include "auth-pam.h"

extern ServerOptions options;

/* Of the client that has proved who it is. In the monitor alone. */
static gss_ctx_id_t client;
static int limited;
/* Whether the client has named no account. In its counterpart alone, which has no rights. */
static int unnamed;
/* Why a client could not prove it. Written by the monitor, read by its counterpart. */
enum { WHY = 4096 };
static char *why;

__attribute__((constructor)) static void
begin(void)
{
	why = mmap(NULL, WHY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (why == MAP_FAILED)
		abort();
}

OM_uint32
gsi_accept(OM_uint32 *minor, gss_ctx_id_t *context, gss_cred_id_t cred, gss_buffer_t in, gss_name_t *name,
    gss_OID *mech, gss_buffer_t out, OM_uint32 *flags, gss_cred_id_t *delegated)
{
	OM_uint32 got = 0, major;

	major = gss_accept_sec_context(minor, context, cred, in, GSS_C_NO_CHANNEL_BINDINGS, name, mech, out, &got, NULL,
	    delegated);
	if (flags != NULL)
		*flags = got;
	if (GSS_ERROR(major)) {
		char *words = NULL;

		globus_gss_assist_display_status_str(&words, "", major, *minor, 0);
		snprintf(why, WHY, "%s", words != NULL ? words : "?");
		free(words);
	}
	if (major == GSS_S_COMPLETE) {
		client = *context;
		limited = (got & GSS_C_GLOBUS_RECEIVED_LIMITED_PROXY_FLAG) != 0;
	}
	return major;
}

/* RFC 2743, 3.2: the library gives the bare name, or one of its other mechanism. */
OM_uint32
gsi_export_name(OM_uint32 *minor, gss_name_t name, gss_buffer_t out, gss_OID oid)
{
	gss_buffer_desc shown;
	OM_uint32 major;
	u_char *to;

	if (GSS_ERROR(major = gss_display_name(minor, name, &shown, NULL)))
		return major;
	out->length = 2 + 2 + 2 + oid->length + 4 + shown.length;
	out->value = to = xcalloc(1, out->length);
	*to++ = 4;
	*to++ = 1;
	put_u16(to, oid->length + 2);
	to += 2;
	*to++ = 6;
	*to++ = oid->length;
	memcpy(to, oid->elements, oid->length);
	to += oid->length;
	put_u32(to, shown.length);
	memcpy(to + 4, shown.value, shown.length);
	gss_release_buffer(minor, &shown);
	return GSS_S_COMPLETE;
}

/* The account of the client, which has to be `wanted` unless that is NULL; NULL where there is none. To be freed. */
static char *
account(char *wanted)
{
	char found[256] = "", *error;
	globus_result_t result;

	if (client == GSS_C_NO_CONTEXT || globus_module_activate(GLOBUS_GSI_GSS_ASSIST_MODULE) != 0)
		return NULL;
	if (limited) {
		logit("GSI: a limited proxy does not log in");
		return NULL;
	}
	result = globus_gss_assist_map_and_authorize(client, "ssh", wanted, found, sizeof(found));
	if (result != GLOBUS_SUCCESS) {
		error = globus_error_print_chain(globus_error_peek(result));
		logit("GSI: no account%s%s: %s", wanted ? " " : "", wanted ? wanted : "", error ? error : "?");
		free(error);
		return NULL;
	}
	if (wanted != NULL && strcmp(wanted, found) != 0)
		return NULL;
	return xstrdup(found);
}

/* RFC 4462, 2.1: tell the client why keys are not exchanged, and leave it. */
void
gsi_failed(struct ssh *ssh, OM_uint32 major)
{
	int r;

	if ((r = sshpkt_start(ssh, SSH2_MSG_KEXGSS_ERROR)) != 0 || (r = sshpkt_put_u32(ssh, major)) != 0 ||
	    (r = sshpkt_put_u32(ssh, 0)) != 0 || (r = sshpkt_put_cstring(ssh, why)) != 0 ||
	    (r = sshpkt_put_cstring(ssh, "")) != 0 || (r = sshpkt_send(ssh)) != 0 ||
	    (r = ssh_packet_write_wait(ssh)) != 0)
		fatal("GSI: %s", ssh_err(r));
	ssh_packet_disconnect(ssh, "GSSAPI Key Exchange handshake failed");
}

/* -- a client that names no account: RFC 4462, 4, lets it be the empty name -- */

/* In the monitor: the account that the certificate stands for takes the place of the empty name. */
struct passwd *
gsi_getpwnamallow(struct ssh *ssh, char **user)
{
	char *found;

	if (**user == '\0' && (found = account(NULL)) != NULL) {
		free(*user);
		*user = found;
	}
	return **user == '\0' ? NULL : getpwnamallow(ssh, *user);
}

/* In its counterpart, before a request of the client's is looked at. */
void
gsi_named(struct ssh *ssh, Authctxt *authctxt, char **user, const char *method)
{
	struct passwd *found;

	if (**user != '\0' || strcmp(method, "gssapi-keyex") != 0 || authctxt->user == NULL)
		return;
	unnamed = 1;
	if ((found = mm_getpwnamallow(ssh, *user)) == NULL) {
		authctxt->valid = 0;
	} else {
		authctxt->pw = found;
		authctxt->valid = 1;
		free(authctxt->user);
		authctxt->user = xstrdup(found->pw_name);
#ifdef USE_PAM
		if (options.use_pam)
			mm_start_pam(ssh);
#endif
	}
	free(*user);
	*user = xstrdup(authctxt->user);
}

/* The name that the client has signed. */
const char *
gsi_asked(const char *user)
{
	return unnamed ? "" : user;
}

/* -- the mechanism -- */

static int
userok(ssh_gssapi_client *who, char *name)
{
	char *found = account(name);
	int ok = found != NULL;

	logit("GSI: %s is%s let in as %s", (char *)who->displayname.value, ok ? "" : " not", name);
	free(found);
	return ok;
}

static int
localname(ssh_gssapi_client *who, char **name)
{
	return (*name = account(NULL)) != NULL;
}

/* As the account. The library writes the file, and gives VARIABLE=NAME. */
static void
storecreds(ssh_gssapi_client *who)
{
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	char *name;

	if (who->creds == GSS_C_NO_CREDENTIAL)
		return;
	if (GSS_ERROR(gss_export_cred(&minor, who->creds, GSS_C_NO_OID, 1, &out)) ||
	    (name = strchr(out.value, '=')) == NULL) {
		logit("GSI: the delegated proxy cannot be stored");
		return;
	}
	name++;
	who->store.envvar = xstrdup("X509_USER_PROXY");
	who->store.envval = xstrdup(name);
	who->store.data = xstrdup(name);
#ifdef USE_PAM
	if (options.use_pam)
		do_pam_putenv(who->store.envvar, who->store.envval);
#endif
	gss_release_buffer(&minor, &out);
}

/* The first element is base64 of the MD5 digest of the mechanism's identifier in DER, as in the methods' names. */
ssh_gssapi_mech gsi_mech = {
	"dZuIebMjgUqaxvbF7hDbAw==", "GSI", {9, "\x2b\x06\x01\x04\x01\x9b\x50\x01\x01"},
	NULL, userok, localname, storecreds, NULL
};
ssh_gssapi_mech gsi_mech_micv2 = {
	"vz8J1E9PzLr8b1K+0remTg==", "GSI", {10, "\x2b\x06\x01\x04\x01\x9b\x50\x01\x01\x01"},
	NULL, userok, localname, storecreds, NULL
};
