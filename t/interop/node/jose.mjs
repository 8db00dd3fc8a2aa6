/* The snippet of docs/relying-parties.md: node jose.mjs ISSUER AUDIENCE */

import { createInterface } from 'node:readline'
import { client, say } from './say.mjs'
import { verifier } from './verify.mjs'

client('jose')

const verify = verifier(...process.argv.slice(2))

for await (const token of createInterface({ input: process.stdin })) {
    try {
        say({ claims: await verify(token) })
    } catch (e) {
        say({ error: `${e.code}: ${e.message}` })
    }
}
