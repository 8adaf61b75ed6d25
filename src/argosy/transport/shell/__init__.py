"""A login shell on another host as a transport, however it is reached: sh, coreutils and tar are used there.

sessions    what is at work on one channel: a shell that runs script after script, or one script without end
connection  the channels to one host as one user: bounded, shared, had again after they were lost
transport   commands and files through them
"""
