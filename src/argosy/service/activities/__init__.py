"""Operations on activities, apart from what follows from them (`lifecycle`, `engine`).

operations     what endpoints ask for
creation       recorded and begun; drafting: from a description to what is to be recorded
changing       hold, release, suspend, resume and the rest, and waiting until it is so
session_files  what clients do with the files of a session directory
streams        events as they happen
"""
