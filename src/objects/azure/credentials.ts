// How requests to Azure Blob Storage are authorized: the account's key, a shared access signature, or a token of Microsoft
// Entra: a service principal with a secret, a workload identity (Kubernetes), the managed identity of the machine.
import type { Disk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import { encodeQuery, type HttpParts, send } from '../http.ts'
import { tokenCache } from '../token-cache.ts'

export type AzureAuthorization =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'sas'; readonly query: Readonly<Record<string, string>> }
  | { readonly kind: 'token'; readonly token: () => Promise<string> }

export interface AzureCredentialParts extends HttpParts {
  readonly disk: Disk
  readonly environment: Readonly<Record<string, string | undefined>>
}

const SCOPE = 'https://storage.azure.com/.default'

export function azureAuthorization(
  parts: AzureCredentialParts,
  given: { readonly key?: string | undefined; readonly sas?: string | undefined },
): AzureAuthorization {
  const { environment } = parts
  const key = given.key ?? (given.sas ? undefined : environment['AZURE_STORAGE_KEY'])
  if (key) return { kind: 'key', key }
  const sas = given.sas ?? environment['AZURE_STORAGE_SAS_TOKEN']
  if (sas) return { kind: 'sas', query: Object.fromEntries(new URLSearchParams(sas.replace(/^\?/, ''))) }
  return { kind: 'token', token: tokenCache(parts.clock, () => fetchToken(parts)) }
}

async function fetchToken(parts: AzureCredentialParts): Promise<{ token: string; lastsSeconds: number }> {
  const { environment, disk } = parts
  const [tenant, client] = [environment['AZURE_TENANT_ID'], environment['AZURE_CLIENT_ID']]
  const [secret, file] = [environment['AZURE_CLIENT_SECRET'], environment['AZURE_FEDERATED_TOKEN_FILE']]
  if (tenant && client && (secret || file)) {
    const proof: Record<string, string> = secret
      ? { client_secret: secret }
      : {
          client_assertion: (await disk.readFile(file!)).toString('utf8').trim(),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        }
    const host = environment['AZURE_AUTHORITY_HOST'] ?? 'https://login.microsoftonline.com/'
    const body = encodeQuery({ grant_type: 'client_credentials', client_id: client, scope: SCOPE, ...proof })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const url = `${host.replace(/\/$/, '')}/${tenant}/oauth2/v2.0/token`
    return tokenOf(await send(parts, 'the service principal', () => ({ method: 'POST', url, headers, body })))
  }
  const endpoint = environment['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254'
  const query = { 'api-version': '2018-02-01', resource: 'https://storage.azure.com/', ...(client ? { client_id: client } : {}) }
  const url = `${endpoint}/metadata/identity/oauth2/token?${encodeQuery(query)}`
  const reply = await send({ ...parts, tryMax: 2 }, 'the managed identity', () => ({
    method: 'GET',
    url,
    headers: { metadata: 'true' },
  })).catch((cause: unknown) => {
    throw new MillraceError('MR_OBJECT_DENIED', 'there are no credentials for Azure Blob Storage', {
      cause,
      fix: 'set AZURE_STORAGE_KEY, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or give the key to azureLake()',
    })
  })
  return tokenOf(reply)
}

function tokenOf({ status, body }: { readonly status: number; readonly body: Buffer }): { token: string; lastsSeconds: number } {
  const json = status === 200 ? (JSON.parse(body.toString('utf8')) as { access_token?: string; expires_in?: number | string }) : {}
  if (json.access_token) return { token: json.access_token, lastsSeconds: Number(json.expires_in ?? 600) }
  throw new MillraceError('MR_OBJECT_DENIED', `Microsoft Entra gave no token: ${status} ${body.toString('utf8', 0, 300)}`, {
    fix: 'check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET',
  })
}
