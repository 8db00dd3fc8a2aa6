#!/bin/sh
#
# static.sh OUT: builds libcurl and jansson as archives, below OUT, for a module
# that brings them along.  libcurl speaks HTTP and HTTPS and nothing else; it
# needs OpenSSL alone, which stays a shared library: nginx' own.
#
#   CURL_VERSION, CURL_SHA256         of the release, as you have verified it
#   CURL_URL                          where it is, by default at curl.se
#   JANSSON_VERSION, JANSSON_SHA256,  likewise, by default at GitHub
#   JANSSON_URL
#
# Then build.sh with LDFLAGS="-LOUT/lib -Wl,--exclude-libs,ALL" and
# CFLAGS=-IOUT/include: the symbols of both stay inside of the module.

set -eu

out=$1

: "${CURL_VERSION:?the version of libcurl}"
: "${CURL_SHA256:?the digest of its archive}"
: "${JANSSON_VERSION:?the version of jansson}"
: "${JANSSON_SHA256:?the digest of its archive}"

curl_url=${CURL_URL:-https://curl.se/download/curl-$CURL_VERSION.tar.gz}
releases=https://github.com/akheron/jansson/releases/download
jansson=v$JANSSON_VERSION/jansson-$JANSSON_VERSION.tar.gz
jansson_url=${JANSSON_URL:-$releases/$jansson}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT


# an archive of a known digest, unpacked into a directory of a known name

unpack() {
    curl -fsSL -o "$work/$1.tar.gz" "$2"
    printf '%s  %s\n' "$3" "$work/$1.tar.gz" | sha256sum -c -
    mkdir "$work/$1"
    tar xzf "$work/$1.tar.gz" -C "$work/$1" --strip-components=1
}


unpack jansson "$jansson_url" "$JANSSON_SHA256"

(
    cd "$work/jansson"
    ./configure --prefix="$out" --libdir="$out/lib" \
        --disable-shared --enable-static --with-pic
    make install
)

unpack curl "$curl_url" "$CURL_SHA256"

(
    cd "$work/curl"
    ./configure --prefix="$out" --libdir="$out/lib" \
        --disable-shared --enable-static --with-pic --with-openssl \
        --without-zlib --without-brotli --without-zstd --without-nghttp2 \
        --without-libpsl --without-libidn2 --without-librtmp \
        --without-libssh2 --without-libgsasl --disable-ldap --disable-manual \
        --disable-ftp --disable-file --disable-dict --disable-telnet \
        --disable-tftp --disable-pop3 --disable-imap --disable-smb \
        --disable-smtp --disable-gopher --disable-mqtt --disable-rtsp
    make -C lib install
    make -C include install
)

# "-lcurl" by itself brings what the archive needs

mv "$out/lib/libcurl.a" "$out/lib/libcurl-static.a"
rm -f "$out"/lib/*.la
echo "INPUT($out/lib/libcurl-static.a -lssl -lcrypto)" > "$out/lib/libcurl.so"
