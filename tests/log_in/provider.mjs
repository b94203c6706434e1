// A real OpenID provider (npm oidc-provider) on a free port: prints its address, then reads the client's redirect address
// from stdin and says "ready"; ends with stdin. People sign in by any name, which is their `preferred_username`.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);

function serve(redirect) {
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'lectern', client_secret: 'between-us', redirect_uris: [redirect] }],
    claims: { openid: ['sub'], profile: ['preferred_username'] },
    conformIdTokenClaims: process.env.IN_TOKEN !== 'yes',
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id }),
    }),
    pkce: { required: () => true },
  });
  if (process.env.WHY) provider.on('server_error', (_, error) => console.error(error));
  server.on('request', provider.callback());
  console.log('ready');
}

const lines = createInterface({ input: process.stdin });
lines.once('line', serve);
lines.on('close', () => process.exit(0));
