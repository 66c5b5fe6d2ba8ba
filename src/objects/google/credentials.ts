// Tokens for Google Cloud Storage: a service account's key file, a user's file as gcloud leaves it, or the account of the
// machine. https://cloud.google.com/docs/authentication/application-default-credentials
import { createSign } from 'node:crypto'
import { homedir } from 'node:os'
import type { Disk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import { encodeQuery, type HttpParts, type HttpRequest, send } from '../http.ts'
import { tokenCache } from '../token-cache.ts'

export interface GoogleCredentialParts extends HttpParts {
  readonly disk: Disk
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** What a service account signs with. */
export interface GoogleKey {
  readonly email: string
  readonly privateKey: string
}

export interface GoogleAuthorization {
  token(): Promise<string>
  /** Undefined when what there is cannot sign. */
  key(): Promise<GoogleKey | undefined>
}

interface CredentialsFile {
  readonly type: string
  readonly client_email?: string
  readonly private_key?: string
  readonly token_uri?: string
  readonly client_id?: string
  readonly client_secret?: string
  readonly refresh_token?: string
}

const TOKEN_URI = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'

export function googleAuthorization(parts: GoogleCredentialParts, given: string | undefined): GoogleAuthorization {
  const file = (): Promise<CredentialsFile | null> => readFile(parts, given)
  return {
    token: tokenCache(parts.clock, async () => fetchToken(parts, await file())),
    async key() {
      const found = await file()
      return found?.client_email && found.private_key ? { email: found.client_email, privateKey: found.private_key } : undefined
    },
  }
}

async function readFile({ disk, environment }: GoogleCredentialParts, given: string | undefined): Promise<CredentialsFile | null> {
  const named = given ?? environment['GOOGLE_APPLICATION_CREDENTIALS']
  const path = named ?? `${environment['HOME'] ?? homedir()}/.config/gcloud/application_default_credentials.json`
  if (named === undefined && !(await disk.stat(path))) return null
  try {
    return JSON.parse((await disk.readFile(path)).toString('utf8')) as CredentialsFile
  } catch (cause) {
    throw new MillraceError('MR_OBJECT_DENIED', `the credentials file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      fix: 'set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account',
    })
  }
}

async function fetchToken(parts: GoogleCredentialParts, file: CredentialsFile | null): Promise<{ token: string; lastsSeconds: number }> {
  const form = (body: Record<string, string>): HttpRequest => ({
    method: 'POST',
    url: file?.token_uri ?? TOKEN_URI,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: encodeQuery(body),
  })
  if (file?.client_email && file.private_key) {
    const { client_email: email, private_key: privateKey } = file
    return tokenOf(
      await send(parts, `the service account ${email}`, () =>
        form({
          grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
          assertion: assertion(parts.clock.nowMs(), { email, privateKey }, file),
        }),
      ),
    )
  }
  if (file?.refresh_token) {
    const { client_id = '', client_secret = '', refresh_token } = file
    return tokenOf(await send(parts, 'the user', () => form({ grant_type: 'refresh_token', client_id, client_secret, refresh_token })))
  }
  if (file)
    throw new MillraceError('MR_OBJECT_DENIED', `credentials of type "${file.type}" are not supported`, {
      fix: 'use a key of a service account',
    })
  const host = parts.environment['GCE_METADATA_HOST'] ?? 'metadata.google.internal'
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`
  return tokenOf(
    await send({ ...parts, tryMax: 2 }, 'the account of this machine', () => ({
      method: 'GET',
      url,
      headers: { 'metadata-flavor': 'Google' },
    })).catch((cause: unknown) => {
      throw new MillraceError('MR_OBJECT_DENIED', 'there are no credentials for Google Cloud Storage', {
        cause,
        fix: 'set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or give it to googleLake()',
      })
    }),
  )
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function assertion(nowMs: number, { email, privateKey }: GoogleKey, { token_uri = TOKEN_URI }: CredentialsFile): string {
  const now = Math.floor(nowMs / 1_000)
  const text = `${base64url({ alg: 'RS256', typ: 'JWT' })}.${base64url({ iss: email, scope: SCOPE, aud: token_uri, iat: now, exp: now + 3_600 })}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey).toString('base64url')}`
}

function tokenOf({ status, body }: { readonly status: number; readonly body: Buffer }): { token: string; lastsSeconds: number } {
  const json = status === 200 ? (JSON.parse(body.toString('utf8')) as { access_token?: string; expires_in?: number }) : {}
  if (json.access_token) return { token: json.access_token, lastsSeconds: json.expires_in ?? 600 }
  throw new MillraceError('MR_OBJECT_DENIED', `Google gave no token: ${status} ${body.toString('utf8', 0, 300)}`, {
    fix: 'check the key file, and that the service account is active',
  })
}
