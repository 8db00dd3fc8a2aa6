#!/bin/sh
#
# sbom.sh VERSION FILE ...: prints an SPDX 2.3 document of these programs and
# modules, and of the packages whose libraries they load, by ldd and the package
# manager of Debian or Alpine.  SOURCE_DATE_EPOCH is its date, else now.

set -eu

[ $# -gt 1 ] || { echo "usage: sbom.sh VERSION FILE ..." >&2; exit 2; }

# as "akl-k8s --version" prints it, too

version=${1##* }
shift

if command -v dpkg-query > /dev/null; then
    kind=deb/debian
    arch=$(dpkg --print-architecture)

elif command -v apk > /dev/null; then
    kind=apk/alpine
    arch=$(apk --print-arch)

else
    echo "sbom.sh: neither dpkg-query nor apk is here" >&2
    exit 1
fi


# "NAME VERSION" of the package that a file belongs to; a file is known by the
# path that it was installed as, which a merged /usr changes

owner() {
    if [ $kind = apk/alpine ]; then
        apk info -q --who-owns "$1" | sed 's,-\([^-]*-r[0-9]*\)$, \1,'
        return
    fi

    for path in "$1" "$(readlink -f "$1")" "/usr$1" "${1#/usr}" \
                "$(readlink -f "$1" | sed 's,^/usr,,')"
    do
        package=$(dpkg-query -S "$path" 2> /dev/null | sed -n '1s/: .*//p')

        if [ -n "$package" ]; then
            # shellcheck disable=SC2016
            dpkg-query -W -f '${Package} ${Version}\n' "$package"
            return
        fi
    done

    echo "sbom.sh: no package has $1" >&2
    return 1
}


# the libraries that a file loads

loads() {
    loaded=$(ldd "$1" 2>&1 || true)

    case $loaded in
        *"not found"*)
            printf 'sbom.sh: %s: %s\n' "$1" "$loaded" >&2
            return 1
            ;;
    esac

    printf '%s\n' "$loaded" | sed -n -e 's,.* => \(/[^ ]*\).*,\1,p' \
        -e 's,^[[:space:]]*\(/[^ ]*\) (.*,\1,p'
}


id() {
    printf 'SPDXRef-package-%s' "$1" | tr -c 'A-Za-z0-9.' -
}


package() {
    escaped=$(printf '%s' "$2" | sed -e 's,+,%2B,g' -e 's,:,%3A,g')

    cat << END
,
    {
      "SPDXID": "$(id "$1")",
      "name": "$1",
      "versionInfo": "$2",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "externalRefs": [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
         "referenceLocator": "pkg:$kind/$1@$escaped?arch=$arch"}
      ]
    }
END
}


relation() {
    cat << END
,
    {"spdxElementId": "SPDXRef-akl-k8s", "relationshipType": "DEPENDS_ON",
     "relatedSpdxElement": "$(id "$1")"}
END
}


libraries=$(for file; do
    loads "$file" || exit 1
done)

[ -n "$libraries" ] || { echo "sbom.sh: no libraries: $*" >&2; exit 1; }

packages=$(printf '%s\n' "$libraries" | sort -u | while read -r library; do
    owner "$library" || echo "none of $library"
done | sort -u)

case $packages in
    *"none of "*)
        echo "sbom.sh: $packages" >&2
        exit 1
        ;;
esac

digest=$(cat "$@" | sha256sum | cut -d ' ' -f 1)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)

cat << END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "akl-k8s",
  "documentNamespace": "https://spdx.org/spdxdocs/akl-k8s-$digest",
  "creationInfo": {
    "created": "$created",
    "creators": ["Tool: sbom.sh"]
  },
  "packages": [
    {
      "SPDXID": "SPDXRef-akl-k8s",
      "name": "akl-k8s",
      "versionInfo": "$version",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseDeclared": "BSD-2-Clause",
      "checksums": [
        {"algorithm": "SHA256", "checksumValue": "$digest"}
      ],
      "comment": "the checksum is of: $*"
    }
END

printf '%s\n' "$packages" | while read -r name its; do
    package "$name" "$its"
done

cat << END
  ],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
     "relatedSpdxElement": "SPDXRef-akl-k8s"}
END

printf '%s\n' "$packages" | while read -r name _; do
    relation "$name"
done

printf '  ]\n}\n'
