/* Logs in with the npm client: node akeyless.js URL CONFIG ACCESS_ID TOKEN */

'use strict';

const akeyless = require('akeyless');
const [url, config, accessId, token] = process.argv.slice(2);

const client = new akeyless.ApiClient();
client.basePath = url;

const api = new akeyless.V2Api(client);
const body = akeyless.Auth.constructFromObject({
    'access-type': 'k8s',
    'access-id': accessId,
    'gateway-url': 'https://gw:8000',
    'k8s-auth-config-name': config,
    'k8s-service-account-token': token
});

function tell(value) {
    process.stdout.write(JSON.stringify(value) + '\n');
}

Promise.resolve(api.auth(body)).then(
    (answer) => tell({ token: answer.token,
                       expiration: answer.expiration || null }),
    (e) => tell({ status: e.status,
                  body: e.body || (e.response && e.response.body) || null }));
