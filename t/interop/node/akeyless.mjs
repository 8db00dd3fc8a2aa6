/* Logs in: node akeyless.mjs URL CONFIG ACCESS_ID TOKEN */

import akeyless from 'akeyless'
import { client, say } from './say.mjs'

const [url, config, accessId, token] = process.argv.slice(2)

client('akeyless')

const api = new akeyless.V2Api(new akeyless.ApiClient())
api.apiClient.basePath = url

const body = akeyless.Auth.constructFromObject({
    'access-type': 'k8s',
    'access-id': accessId,
    'gateway-url': 'https://gw:8000',
    'k8s-auth-config-name': config,
    'k8s-service-account-token': token
})

try {
    const answer = await api.auth(body)
    say({ token: answer.token, expiration: answer.expiration ?? null })
} catch (e) {
    say({ status: e.status, message: e.message,
          body: e.body ?? e.response?.body ?? null })
}
