#!/bin/sh
#
# pin.sh IMAGE: prints IMAGE@sha256:DIGEST, as the registry has it today, for
# NGINX_IMAGE.  Keep what it prints: the same image is built from it again.

set -eu

case ${1-} in
    '')
        echo "usage: pin.sh NAME:TAG" >&2
        exit 2
        ;;
    *@sha256:*)
        echo "$1"
        exit 0
        ;;
esac

digest=$(docker buildx imagetools inspect \
    --format '{{.Manifest.Digest}}' "$1")

if ! printf '%s\n' "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
    echo "pin.sh: no digest of $1: $digest" >&2
    exit 1
fi

echo "$1@$digest"
