#!/bin/sh
#
# build.sh SOURCE OUT: builds the module of the SOURCE directory for the nginx
# that is installed here, into OUT/modules, and the command line tool into
# OUT/bin.
#
#   NGINX_URL     where to get nginx-VERSION.tar.gz (nginx.org/download)
#   NGINX_SHA256  what its digest has to be; by default what nginx.sha256,
#                 beside this file, says of that version
#   NGINX_PATCHES a directory of *.patch that this nginx was built with, where
#                 they change its structures
#   TARGETS       what is built, by default "module cli"; CFLAGS and LDFLAGS
#                 are taken, too, see static.sh
#
# What has no known digest is not built: it would run with all keys.

set -eu

source=$1
out=$2
list=$(dirname "$0")/nginx.sha256

flags=$(nginx -V 2>&1)
version=$(printf '%s\n' "$flags" | sed -n 's,^nginx version: nginx/,,p')

case $flags in
    *--with-compat*) ;;
    *)
        echo "build.sh: this nginx was built without --with-compat, it" \
             "cannot load a module that was built elsewhere" >&2
        exit 1
        ;;
esac

archive=nginx-$version.tar.gz
url=${NGINX_URL:-https://nginx.org/download}
digest=${NGINX_SHA256:-$(sed -n "s,^\([0-9a-f]*\)  $archive\$,\1,p" "$list")}

if [ -z "$digest" ]; then
    echo "build.sh: the digest of $archive is not known; compare the archive" \
         "with its signature at nginx.org, and name its digest by" \
         "NGINX_SHA256" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "build.sh: nginx $version"

curl -fsSL -o "$work/$archive" "${url%/}/$archive"
printf '%s  %s\n' "$digest" "$work/$archive" | sha256sum -c -

tar xzf "$work/$archive" -C "$work"

for patch in ${NGINX_PATCHES:+"$NGINX_PATCHES"/*.patch}; do
    echo "build.sh: $(basename "$patch")"
    patch -d "$work/nginx-$version" -p1 < "$patch"
done

# shellcheck disable=SC2086
make -C "$source" ${TARGETS:-module cli} OBJS="$work/objs" \
    NGINX_SRC="$work/nginx-$version" NGINX_FLAGS=--with-compat

mkdir -p "$out/modules"
cp "$work/objs/ngx_http_akl_k8s_module.so" "$out/modules/"

case " ${TARGETS:-module cli} " in
    *" cli "*)
        mkdir -p "$out/bin"
        cp "$work/objs/akl-k8s" "$out/bin/"
        ;;
esac
