/* Discovery and token exchange: node oauth.mjs ISSUER CLIENT_ID TOKEN */

import * as oauth from 'oauth4webapi'
import { client as which, say } from './say.mjs'

const [issuer, clientId, token] = process.argv.slice(2)

which('oauth4webapi')

const url = new URL(issuer)
const client = { client_id: clientId }
const none = oauth.None()

try {
    const as = await oauth.processDiscoveryResponse(
        url, await oauth.discoveryRequest(url))

    say({ issuer: as.issuer, token_endpoint: as.token_endpoint })

    const answer = await oauth.processGenericTokenEndpointResponse(
        as, client, await oauth.genericTokenEndpointRequest(
            as, client, none,
            'urn:ietf:params:oauth:grant-type:token-exchange', {
                subject_token: token,
                subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }))

    say({ answer })

    say({ introspection: await oauth.processIntrospectionResponse(
        as, client, await oauth.introspectionRequest(
            as, client, none, answer.access_token)) })

    await oauth.processRevocationResponse(
        await oauth.revocationRequest(as, client, none, answer.access_token))

    say({ introspection: await oauth.processIntrospectionResponse(
        as, client, await oauth.introspectionRequest(
            as, client, none, answer.access_token)) })
} catch (e) {
    say({ name: e.name, code: e.code, message: e.message, error: e.error,
          description: e.error_description, status: e.status,
          response: e.cause?.status })
}
