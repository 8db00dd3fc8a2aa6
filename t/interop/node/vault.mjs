/* Goes through the life of a token: node vault.mjs URL ROLE TOKEN */

import nodeVault from 'node-vault'
import { client, say } from './say.mjs'

const [endpoint, role, jwt] = process.argv.slice(2)

client('node-vault')

const vault = nodeVault({ endpoint, apiVersion: 'v1' })

async function step(name, call) {
    try {
        say({ step: name, answer: await call() ?? null })
    } catch (e) {
        say({ step: name, message: e.message,
              status: e.response?.statusCode ?? null,
              body: e.response?.body ?? null })
    }
}

await step('health', () => vault.health())

/* 0.12.0 asks /v1/auth//login without a mount point */

await step('login', () => vault.kubernetesLogin(
    { role, jwt, mount_point: 'kubernetes' }))

if (vault.token) {
    await step('lookup', () => vault.tokenLookupSelf())
    await step('renew', () => vault.tokenRenewSelf())
    await step('read', () => vault.read('secret/data/items'))
    await step('revoke', () => vault.tokenRevokeSelf())
    await step('lookup', () => vault.tokenLookupSelf())
}
