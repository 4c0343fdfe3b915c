#!/bin/sh
# Writes Swift source that holds the given profiles' text, for the EmbedTargets plugin.
#   embed-targets.sh OUT.swift PROFILE.json5…
set -eu
out=$1
shift
{
  echo '/// The files of Targets: name without extension, text.'
  echo 'let embeddedTargets: [(name: String, text: String)] = ['
  for profile; do
    printf '("%s", ####"""\n' "$(basename "$profile" .json5)"
    cat "$profile"
    printf '"""####),\n'
  done
  echo ']'
} >"$out.part"
mv "$out.part" "$out"
