# The everyday work of a script. Every command is called as "$BUSYBOX" NAME, by its path: busybox's shell would run a bare
# name inside itself, and the test is about starting programs.
"$BUSYBOX" sort "$TEXT" >sorted.$$
"$BUSYBOX" od sorted.$$ | "$BUSYBOX" sort -n -k 1 >dump.$$
"$BUSYBOX" grep the sorted.$$ | "$BUSYBOX" tee found.$$ | "$BUSYBOX" wc >count.$$
"$BUSYBOX" rm sorted.$$ dump.$$ found.$$ count.$$
