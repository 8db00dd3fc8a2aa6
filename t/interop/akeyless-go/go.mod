module akl-k8s-interop-akeyless

go 1.24.0

require github.com/akeylesslabs/akeyless-go/v4 v4.1.0

require (
	github.com/golang/protobuf v1.5.2 // indirect
	golang.org/x/net v0.10.0 // indirect
	golang.org/x/oauth2 v0.8.0 // indirect
	google.golang.org/appengine v1.6.7 // indirect
	google.golang.org/protobuf v1.28.0 // indirect
)
