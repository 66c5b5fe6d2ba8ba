// Signed URLs of Google Cloud Storage (V4, RSA): https://cloud.google.com/storage/docs/authentication/canonical-requests
import { createHash, createSign } from 'node:crypto'
import { encodeQuery } from '../http.ts'
import type { GoogleKey } from './credentials.ts'

/** `url` is percent-encoded, without query. */
export function presignUrl(url: string, seconds: number, nowMs: number, { email, privateKey }: GoogleKey): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/auto/storage/goog4_request`
  const query = encodeQuery({
    'X-Goog-Algorithm': 'GOOG4-RSA-SHA256',
    'X-Goog-Credential': `${email}/${scope}`,
    'X-Goog-Date': time,
    'X-Goog-Expires': String(seconds),
    'X-Goog-SignedHeaders': 'host',
  })
  const { pathname, host } = new URL(url)
  const canonical = ['GET', pathname, query, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const text = ['GOOG4-RSA-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  return `${url}?${query}&X-Goog-Signature=${createSign('RSA-SHA256').update(text).sign(privateKey).toString('hex')}`
}
