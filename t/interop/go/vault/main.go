// A workload with HashiCorp's own client: logs in by auth/kubernetes, watches
// the lifetime of the token that it was given, as Vault's documentation shows
// it, logs in again when the watcher says so, so many times, and revokes the
// last token.  With 0 it logs in and is content.
//
//	vault URL ROLE TOKEN_FILE TIMES
package main

import (
	"context"
	"errors"
	"os"
	"strconv"

	vault "github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"akl-k8s-interop/say"
)

func fail(what string, err error) {
	line := map[string]any{"event": "failed", "what": what,
		"why": err.Error()}
	var answer *vault.ResponseError
	if errors.As(err, &answer) {
		line["status"] = answer.StatusCode
		line["errors"] = answer.Errors
	}
	say.Line(line)
	os.Exit(1)
}

func watch(client *vault.Client, secret *vault.Secret) {
	_, err := client.Auth().Token().RenewSelf(0)
	if err == nil {
		fail("renew-self", errors.New("it was renewed"))
	}
	say.Line(map[string]any{"event": "renew", "why": err.Error()})
	watcher, err := client.NewLifetimeWatcher(
		&vault.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		fail("watcher", err)
	}
	go watcher.Start()
	defer watcher.Stop()
	select {
	case err := <-watcher.DoneCh():
		why := ""
		if err != nil {
			why = err.Error()
		}
		say.Line(map[string]any{"event": "done", "why": why})
	case <-watcher.RenewCh():
		fail("watcher", errors.New("it renewed"))
	}
}

func main() {
	say.Client("github.com/hashicorp/vault/api")
	say.Client("github.com/hashicorp/vault/api/auth/kubernetes")
	config := vault.DefaultConfig()
	config.Address = os.Args[1]
	client, err := vault.NewClient(config)
	if err != nil {
		fail("client", err)
	}
	method, err := kubernetes.NewKubernetesAuth(os.Args[2],
		kubernetes.WithServiceAccountTokenPath(os.Args[3]))
	if err != nil {
		fail("method", err)
	}
	times, err := strconv.Atoi(os.Args[4])
	if err != nil {
		fail("times", err)
	}
	for n := 0; ; n++ {
		secret, err := client.Auth().Login(context.Background(), method)
		if err != nil {
			fail("login", err)
		}
		say.Line(map[string]any{"event": "login",
			"lease":     secret.Auth.LeaseDuration,
			"renewable": secret.Auth.Renewable})
		self, err := client.Auth().Token().LookupSelf()
		if err != nil {
			fail("lookup-self", err)
		}
		ttl, err := self.TokenTTL()
		if err != nil {
			fail("ttl", err)
		}
		meta, err := self.TokenMetadata()
		if err != nil {
			fail("metadata", err)
		}
		renewable, err := self.TokenIsRenewable()
		if err != nil {
			fail("renewable", err)
		}
		say.Line(map[string]any{"event": "lookup", "ttl": ttl.Seconds(),
			"meta": meta, "renewable": renewable})
		if n == times {
			break
		}
		watch(client, secret)
	}
	if times == 0 {
		return
	}
	if err := client.Auth().Token().RevokeSelf(""); err != nil {
		fail("revoke-self", err)
	}
	say.Line(map[string]any{"event": "revoked"})
	if _, err := client.Auth().Token().LookupSelf(); err != nil {
		fail("lookup-self", err)
	}
}
