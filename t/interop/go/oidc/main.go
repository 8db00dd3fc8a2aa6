// The snippet of docs/relying-parties.md: oidc ISSUER AUDIENCE
package main

import (
	"bufio"
	"context"
	"os"

	"akl-k8s-interop/say"
	"akl-k8s-interop/verify"
)

func main() {
	say.Client("github.com/coreos/go-oidc/v3")
	ctx := context.Background()
	verifier, err := verify.New(ctx, os.Args[1], os.Args[2])
	if err != nil {
		say.Line(map[string]any{"failed": err.Error()})
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		token, err := verifier.Verify(ctx, lines.Text())
		if err != nil {
			say.Line(map[string]any{"error": err.Error()})
			continue
		}
		var claims map[string]any
		if err := token.Claims(&claims); err != nil {
			say.Line(map[string]any{"error": err.Error()})
			continue
		}
		say.Line(map[string]any{"claims": claims})
	}
}
