# Run $1 scripts at once and wait for all; fail if one fails.
left=$1
scripts=
while [ "$left" -gt 0 ]; do
	"$BUSYBOX" sh "$SCRIPT" &
	scripts="$scripts $!"
	left=$((left - 1))
done
for script in $scripts; do
	wait "$script" || exit 1
done
