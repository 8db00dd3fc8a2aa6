// Takes a bundle from its endpoint and validates JWT-SVIDs by it, with the
// SPIFFE project's own library; what comes of it is told in lines of JSON.
//
//	spiffe CA URL TRUST-DOMAIN AUDIENCE TOKEN...
package main

import (
	"context"
	"crypto/x509"
	"os"

	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"

	"akl-k8s-interop/say"
)

type told map[string]any

func fail(err error) {
	say.Line(told{"error": err.Error()})
	os.Exit(1)
}

func main() {
	say.Client("github.com/spiffe/go-spiffe/v2")
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
	say.Line(told{"keys": len(bundle.JWTAuthorities()),
		"sequence": sequence, "hint": hint.Seconds()})

	for _, token := range os.Args[5:] {
		svid, err := jwtsvid.ParseAndValidate(token, bundle,
			[]string{os.Args[4]})
		if err != nil {
			say.Line(told{"error": err.Error()})
			continue
		}
		say.Line(told{"id": svid.ID.String(), "audience": svid.Audience})
	}
}
