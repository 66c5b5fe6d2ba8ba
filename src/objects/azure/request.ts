// One request to Azure Blob Storage, authorized by whatever there is: the account's key, a signature in the query, or a token.
import type { Clock } from '../../core/clock.ts'
import { encodeQuery, type HttpRequest } from '../http.ts'
import type { AzureAuthorization } from './credentials.ts'
import { SERVICE_VERSION, sharedKey } from './sign.ts'

export interface AzureCall {
  readonly method: string
  /** Percent-encoded, without query. */
  readonly url: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface AzureCaller {
  readonly account: string
  readonly authorization: AzureAuthorization
}

export async function azureRequest(clock: Clock, { account, authorization }: AzureCaller, call: AzureCall): Promise<HttpRequest> {
  const { method, url, query = {}, body } = call
  const headers: Record<string, string> = {
    ...call.headers,
    'x-ms-date': new Date(clock.nowMs()).toUTCString(),
    'x-ms-version': SERVICE_VERSION,
    ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }),
  }
  const bodyBytes = body === undefined ? 0 : Buffer.byteLength(body)
  if (authorization.kind === 'key')
    headers['authorization'] = sharedKey(account, authorization.key, { method, url, query, headers, bodyBytes })
  if (authorization.kind === 'token') headers['authorization'] = `Bearer ${await authorization.token()}`
  const asked = authorization.kind === 'sas' ? { ...query, ...authorization.query } : query
  const text = encodeQuery(asked)
  return { method, url: text ? `${url}?${text}` : url, headers, ...(body === undefined ? {} : { body }) }
}
