// Takes a bundle from its endpoint and validates JWT-SVIDs by it, with the
// SPIFFE project's own library; what comes of it is told in lines of JSON.
//
//	spiffe CA URL TRUST-DOMAIN AUDIENCE TOKEN...
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"os"

	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
)

type told map[string]any

var out = json.NewEncoder(os.Stdout)

func fail(err error) {
	out.Encode(told{"error": err.Error()})
	os.Exit(1)
}

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)

	domain, err := spiffeid.TrustDomainFromString(os.Args[3])
	if err != nil {
		fail(err)
	}
	bundle, err := federation.FetchBundle(context.Background(), domain,
		os.Args[2], federation.WithWebPKIRoots(roots))
	if err != nil {
		fail(err)
	}
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	out.Encode(told{"keys": len(bundle.JWTAuthorities()),
		"sequence": sequence, "hint": hint.Seconds()})

	for _, token := range os.Args[5:] {
		svid, err := jwtsvid.ParseAndValidate(token, bundle,
			[]string{os.Args[4]})
		if err != nil {
			out.Encode(told{"error": err.Error()})
			continue
		}
		out.Encode(told{"id": svid.ID.String(), "audience": svid.Audience})
	}
}
