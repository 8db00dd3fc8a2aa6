/* A line of JSON each: first which client it is, then what happens to it. */

import { readFileSync } from 'node:fs'

export function say(value) {
    process.stdout.write(JSON.stringify(value) + '\n')
}

export function client(name) {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
    const { version } = JSON.parse(readFileSync(file, 'utf8'))
    say({ client: `npm ${name} ${version}`, runtime: `node ${process.version}` })
}
