#!/bin/sh
#
# build.sh SOURCE OUT: builds the module of the SOURCE directory for the nginx
# that is installed here, into OUT/modules, and the command line tool into
# OUT/bin.
#
#   NGINX_URL     where to get nginx-VERSION.tar.gz (nginx.org/download)
#   NGINX_SHA256  what its digest has to be; not compared where empty

set -eu

source=$1
out=$2

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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "build.sh: nginx $version"

curl -fsSL -o "$work/$archive" "$url/$archive"

if [ -n "${NGINX_SHA256-}" ]; then
    printf '%s  %s\n' "$NGINX_SHA256" "$work/$archive" | sha256sum -c -
fi

tar xzf "$work/$archive" -C "$work"

make -C "$source" module cli OBJS="$work/objs" \
    NGINX_SRC="$work/nginx-$version" NGINX_FLAGS=--with-compat

mkdir -p "$out/modules" "$out/bin"
cp "$work/objs/ngx_http_akl_k8s_module.so" "$out/modules/"

if [ -x "$work/objs/akl-k8s" ]; then
    cp "$work/objs/akl-k8s" "$out/bin/"
fi
