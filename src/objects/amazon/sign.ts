// AWS Signature Version 4 (the header and the query form) for S3: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
// Bodies are hashed and signed. Pure: time and credentials are given.
import { createHash, createHmac } from 'node:crypto'
import { encodeQuery } from '../http.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface SignedRequest {
  readonly method: string
  /** Without query. The path is percent-encoded already. */
  readonly url: string
  readonly query: Readonly<Record<string, string>>
  /** All of them are signed. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface SignOptions {
  readonly credentials: AwsCredentials
  readonly region: string
  readonly service: string
  readonly nowMs: number
  /** Hash of a body that somebody else sends, or what S3 takes for one; default: that of `body`. */
  readonly payload?: string
}

const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** `20261125T101112Z` */
const timeText = (nowMs: number): string => new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')

function signatureOf(request: Omit<SignedRequest, 'body'>, payload: string, { credentials, region, service, nowMs }: SignOptions) {
  const url = new URL(request.url)
  const headers = Object.entries({ ...request.headers, host: url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/\s+/g, ' ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const names = headers.map(([name]) => name).join(';')
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join('')
  const canonical = [request.method, url.pathname, encodeQuery(request.query), lines, names, payload].join('\n')
  const time = timeText(nowMs)
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const key = [time.slice(0, 8), region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`)
  const signature = createHmac('sha256', key)
    .update(['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n'))
    .digest('hex')
  return { signature, names, scope }
}

const withQuery = (url: string, query: Readonly<Record<string, string>>): string =>
  Object.keys(query).length === 0 ? url : `${url}?${encodeQuery(query)}`

/** URL and headers to send, `authorization` among them. */
export function sign(request: SignedRequest, options: SignOptions): { url: string; headers: Record<string, string> } {
  const payload = options.payload ?? sha256(request.body ?? '')
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-date': timeText(options.nowMs),
    'x-amz-content-sha256': payload,
    ...(options.credentials.sessionToken ? { 'x-amz-security-token': options.credentials.sessionToken } : {}),
  }
  const { signature, names, scope } = signatureOf({ ...request, headers }, payload, options)
  const credential = `Credential=${options.credentials.accessKeyId}/${scope}`
  headers['authorization'] = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`
  return { url: withQuery(request.url, request.query), headers }
}

/** A URL that carries its signature, for `seconds`. */
export function presignUrl(request: Omit<SignedRequest, 'body' | 'headers'>, seconds: number, options: SignOptions): string {
  const time = timeText(options.nowMs)
  const query: Record<string, string> = {
    ...request.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${options.credentials.accessKeyId}/${time.slice(0, 8)}/${options.region}/${options.service}/aws4_request`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
    ...(options.credentials.sessionToken ? { 'X-Amz-Security-Token': options.credentials.sessionToken } : {}),
  }
  const { signature } = signatureOf({ ...request, query, headers: {} }, 'UNSIGNED-PAYLOAD', options)
  return withQuery(request.url, { ...query, 'X-Amz-Signature': signature })
}
