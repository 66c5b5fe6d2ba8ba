// The token service of Amazon and of stores that speak its protocol: temporary credentials of a role, narrowed by a policy of the
// session. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
import { MillraceError } from '../../core/errors.ts'
import { element, encodeQuery, type HttpParts, send } from '../http.ts'
import { type AwsCredentials, sign } from './sign.ts'

export interface Session {
  readonly credentials: Required<AwsCredentials>
  readonly endsMs: number
}

export interface AssumeRole {
  readonly endpoint: string
  readonly region: string
  /** Of whoever takes the role. */
  readonly credentials: () => Promise<AwsCredentials>
  readonly role: string
  /** What the role's trust policy may ask for. */
  readonly externalId?: string
  readonly sessionName: string
  readonly seconds: number
  /** JSON: what of the role's rights the session has. */
  readonly policy: string
}

/** @throws MR_OBJECT_DENIED, MR_OBJECT_BUSY */
export async function assumeRole(parts: HttpParts, asked: AssumeRole): Promise<Session> {
  const body = encodeQuery({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: asked.role,
    RoleSessionName: asked.sessionName,
    DurationSeconds: String(asked.seconds),
    Policy: asked.policy,
    ...(asked.externalId ? { ExternalId: asked.externalId } : {}),
  })
  const url = `${asked.endpoint.replace(/\/$/, '')}/`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const { status, body: answer } = await send(parts, `the role ${asked.role}`, async () => ({
    method: 'POST',
    ...sign(
      { method: 'POST', url, query: {}, headers, body },
      { credentials: await asked.credentials(), region: asked.region, service: 'sts', nowMs: parts.clock.nowMs() },
    ),
    body,
  }))
  const text = answer.toString('utf8')
  const session = status === 200 ? readSession(text) : undefined
  if (session) return session
  throw new MillraceError(
    'MR_OBJECT_DENIED',
    `the role ${asked.role} cannot be taken: ${status} ${element(text, 'Message') ?? ''}`.trim(),
    {
      fix: `check the role, that it trusts the credentials of the lake, and that ${url} is its token service`,
    },
  )
}

/** Credentials as the service answers them; undefined for anything else, and for what does not say when it ends. */
export function readSession(xml: string): Session | undefined {
  const [accessKeyId, secretAccessKey] = [element(xml, 'AccessKeyId'), element(xml, 'SecretAccessKey')]
  const endsMs = Date.parse(element(xml, 'Expiration') ?? '')
  if (!accessKeyId || !secretAccessKey || Number.isNaN(endsMs)) return undefined
  return { credentials: { accessKeyId, secretAccessKey, sessionToken: element(xml, 'SessionToken') ?? '' }, endsMs }
}
