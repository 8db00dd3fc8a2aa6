// Logs in: akeyless-go URL CONFIG ACCESS_ID TOKEN
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	akeyless "github.com/akeylesslabs/akeyless-go/v4"
)

func say(what map[string]any) {
	text, _ := json.Marshal(what)
	fmt.Println(string(text))
}

func main() {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/akeylesslabs/akeyless-go/v4" {
			say(map[string]any{"client": "Go " + dep.Path + " " + dep.Version,
				"runtime": runtime.Version()})
		}
	}
	api := akeyless.NewAPIClient(&akeyless.Configuration{
		Servers: []akeyless.ServerConfiguration{{URL: os.Args[1]}},
	}).V2Api
	body := akeyless.NewAuthWithDefaults()
	body.SetAccessType("k8s")
	body.SetAccessId(os.Args[3])
	body.SetGatewayUrl("https://gw:8000")
	body.SetK8sAuthConfigName(os.Args[2])
	body.SetK8sServiceAccountToken(os.Args[4])
	answer, response, err := api.Auth(context.Background()).Body(*body).Execute()
	if err == nil {
		say(map[string]any{"token": answer.GetToken()})
		return
	}
	line := map[string]any{"message": err.Error()}
	if response != nil {
		line["status"] = response.StatusCode
	}
	var told akeyless.GenericOpenAPIError
	if errors.As(err, &told) {
		var body any
		if json.Unmarshal(told.Body(), &body) == nil {
			line["body"] = body
		}
		if model, ok := told.Model().(akeyless.JSONError); ok {
			line["error"] = model.GetError()
		}
	}
	say(line)
}
