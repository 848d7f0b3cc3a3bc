# SPDX-License-Identifier: Apache-2.0
# Runs the function or command $1 so that nothing it prints is a command to the service, then shows the annotations that it left in $OUTDIR.
# Names of files and texts of a submission are in what is printed. Sourced by the steps of action.yml; ends the step with the status of $1.
token="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
rm -f "$OUTDIR/annotations.txt"
status=0
echo "::stop-commands::$token"
"$1" || status=$?
echo
echo "::$token::"
if [ -f "$OUTDIR/annotations.txt" ]; then
  cat "$OUTDIR/annotations.txt"
fi
exit "$status"
