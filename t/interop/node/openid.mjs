/* Discovery and token exchange: node openid.mjs ISSUER CLIENT_ID TOKEN [SECRET] */

import * as client from 'openid-client'
import { client as which, say } from './say.mjs'

const [issuer, clientId, token, secret] = process.argv.slice(2)

which('openid-client')

try {
    const config = await client.discovery(
        new URL(issuer), clientId, undefined,
        secret ? client.ClientSecretBasic(secret) : client.None())

    say({ issuer: config.serverMetadata().issuer,
          token_endpoint: config.serverMetadata().token_endpoint })

    const answer = await client.genericGrantRequest(
        config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
            subject_token: token,
            subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
            requested_token_type: 'urn:ietf:params:oauth:token-type:jwt' })

    say({ answer, expiresIn: answer.expiresIn() })
    say({ introspection: await client.tokenIntrospection(
        config, answer.access_token) })

    await client.tokenRevocation(config, answer.access_token)

    say({ introspection: await client.tokenIntrospection(
        config, answer.access_token) })
} catch (e) {
    say({ name: e.name, code: e.code, message: e.message, error: e.error,
          description: e.error_description, status: e.status,
          response: e.cause?.status })
}
