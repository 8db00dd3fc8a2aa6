// A workload with HashiCorp's own client: logs in at auth/kubernetes, watches
// the lifetime of the token that it was given, as Vault's documentation shows
// it, and logs in again when the watcher says so.  Prints what happens, a
// line of JSON each.
//
//	vaultwatch URL ROLE TOKEN_FILE LOGINS
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	vault "github.com/hashicorp/vault/api"
)

func say(what map[string]any) {
	text, _ := json.Marshal(what)
	fmt.Println(string(text))
}

func fail(what string, err error) {
	say(map[string]any{"event": "failed", "what": what, "why": err.Error()})
	os.Exit(1)
}

func main() {
	config := vault.DefaultConfig()
	config.Address = os.Args[1]
	config.MaxRetries = 0
	client, err := vault.NewClient(config)
	if err != nil {
		fail("client", err)
	}
	jwt, err := os.ReadFile(os.Args[3])
	if err != nil {
		fail("token file", err)
	}
	logins, err := strconv.Atoi(os.Args[4])
	if err != nil {
		fail("logins", err)
	}
	for n := 0; n < logins; n++ {
		secret, err := client.Logical().Write("auth/kubernetes/login",
			map[string]any{"role": os.Args[2],
				"jwt": strings.TrimSpace(string(jwt))})
		if err != nil {
			fail("login", err)
		}
		client.SetToken(secret.Auth.ClientToken)
		say(map[string]any{"event": "login",
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
		say(map[string]any{"event": "lookup", "ttl": ttl.Seconds(),
			"meta": meta, "renewable": renewable})
		_, err = client.Auth().Token().RenewSelf(0)
		if err == nil {
			fail("renew-self", fmt.Errorf("it was renewed"))
		}
		say(map[string]any{"event": "renew", "why": err.Error()})
		watcher, err := client.NewLifetimeWatcher(
			&vault.LifetimeWatcherInput{Secret: secret})
		if err != nil {
			fail("watcher", err)
		}
		started := time.Now()
		go watcher.Start()
		select {
		case err := <-watcher.DoneCh():
			why := ""
			if err != nil {
				why = err.Error()
			}
			say(map[string]any{"event": "done", "why": why,
				"seconds": time.Since(started).Seconds()})
		case <-watcher.RenewCh():
			fail("watcher", fmt.Errorf("it renewed"))
		}
		watcher.Stop()
	}
}
