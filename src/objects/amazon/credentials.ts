// Where credentials for S3 come from, in the order of Amazon's own tools: what is given, the environment, a web identity
// (Kubernetes), the shared credentials file, the container's endpoint, the machine's. Temporary ones are fetched again five
// minutes before they end. https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
import { homedir } from 'node:os'
import type { Disk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import { element, encodeQuery, type HttpParts, type HttpRequest, send } from '../http.ts'
import { readSession } from './assume-role.ts'
import type { AwsCredentials } from './sign.ts'

export type Environment = Readonly<Record<string, string | undefined>>

interface Found {
  readonly credentials: AwsCredentials
  readonly endsMs?: number
}

const EARLY_MS = 300_000

export interface CredentialParts extends HttpParts {
  readonly disk: Disk
  readonly environment: Environment
  readonly region: string
}

/** Answers credentials that are valid now. @throws MR_OBJECT_DENIED when there are none, saying where they were looked for. */
export function awsCredentials(parts: CredentialParts, given?: AwsCredentials): () => Promise<AwsCredentials> {
  if (given) return async () => given
  let known: Promise<Found> | null = null
  return async () => {
    const last = await known?.catch(() => null)
    if (last && (last.endsMs === undefined || last.endsMs - EARLY_MS > parts.clock.nowMs())) return last.credentials
    known = find(parts)
    return (await known).credentials
  }
}

async function find(parts: CredentialParts): Promise<Found> {
  const found =
    fromEnvironment(parts.environment) ??
    (await fromWebIdentity(parts)) ??
    (await fromFile(parts)) ??
    (await fromContainer(parts)) ??
    (await fromMachine(parts))
  if (found) return found
  throw new MillraceError('MR_OBJECT_DENIED', 'there are no credentials for S3', {
    fix: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials, or give them to s3Lake()',
  })
}

function fromEnvironment(environment: Environment): Found | undefined {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID']
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY']
  const sessionToken = environment['AWS_SESSION_TOKEN']
  if (!accessKeyId || !secretAccessKey) return undefined
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
}

async function fromWebIdentity(parts: CredentialParts): Promise<Found | undefined> {
  const file = parts.environment['AWS_WEB_IDENTITY_TOKEN_FILE']
  const role = parts.environment['AWS_ROLE_ARN']
  if (!file || !role) return undefined
  const query = encodeQuery({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: parts.environment['AWS_ROLE_SESSION_NAME'] ?? 'millrace',
    WebIdentityToken: (await parts.disk.readFile(file)).toString('utf8').trim(),
  })
  const endpoint = parts.environment['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${parts.region}.amazonaws.com`
  const reply = await send(parts, `the role ${role}`, () => ({ method: 'POST', url: `${endpoint}/?${query}` }))
  const text = reply.body.toString('utf8')
  const session = reply.status === 200 ? readSession(text) : undefined
  if (session) return session
  throw new MillraceError('MR_OBJECT_DENIED', `the role ${role} cannot be taken: ${reply.status} ${element(text, 'Message') ?? ''}`, {
    fix: 'check AWS_ROLE_ARN, and that the role trusts the identity of AWS_WEB_IDENTITY_TOKEN_FILE',
  })
}

async function fromFile({ disk, environment }: CredentialParts): Promise<Found | undefined> {
  const path = environment['AWS_SHARED_CREDENTIALS_FILE'] ?? `${environment['HOME'] ?? homedir()}/.aws/credentials`
  if (!(await disk.stat(path))) return undefined
  const values = profileOf((await disk.readFile(path)).toString('utf8'), environment['AWS_PROFILE'] ?? 'default')
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = values
  if (!accessKeyId || !secretAccessKey) return undefined
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
}

function profileOf(text: string, profile: string): Record<string, string | undefined> {
  const values: Record<string, string> = {}
  let section = ''
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[([^\]]+)\]/.exec(line)?.[1]?.trim() ?? section
    const pair = /^\s*([\w]+)\s*=\s*(.*?)\s*$/.exec(line)
    if (pair && section === profile) values[pair[1]!] = pair[2]!
  }
  return values
}

const CONTAINER_HOST = 'http://169.254.170.2'

async function fromContainer(parts: CredentialParts): Promise<Found | undefined> {
  const { environment } = parts
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const url = relative ? `${CONTAINER_HOST}${relative}` : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']
  if (!url) return undefined
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  const token = file ? (await parts.disk.readFile(file)).toString('utf8').trim() : environment['AWS_CONTAINER_AUTHORIZATION_TOKEN']
  return fromJson(parts, { method: 'GET', url, headers: token ? { authorization: token } : {} })
}

async function fromMachine(parts: CredentialParts): Promise<Found | undefined> {
  if (parts.environment['AWS_EC2_METADATA_DISABLED'] === 'true') return undefined
  const base = `${parts.environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254'}/latest`
  const once = { ...parts, tryMax: 1 }
  const limit = { method: 'PUT', url: `${base}/api/token`, headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' } }
  const token = await send(once, 'the metadata of this machine', () => limit).catch(() => null)
  if (token?.status !== 200) return undefined
  const headers = { 'x-aws-ec2-metadata-token': token.body.toString('utf8') }
  const roles = `${base}/meta-data/iam/security-credentials/`
  const role = await send(parts, 'the role of this machine', () => ({ method: 'GET', url: roles, headers }))
  if (role.status !== 200) return undefined
  return fromJson(parts, { method: 'GET', url: `${roles}${role.body.toString('utf8').split('\n')[0]!.trim()}`, headers })
}

async function fromJson(parts: CredentialParts, request: HttpRequest): Promise<Found> {
  const reply = await send(parts, 'credentials', () => request)
  if (reply.status !== 200)
    throw new MillraceError('MR_OBJECT_DENIED', `${request.url} gave no credentials: ${reply.status}`, {
      fix: 'see that this container or machine has a role',
    })
  const json = JSON.parse(reply.body.toString('utf8')) as Record<string, string>
  return {
    credentials: { accessKeyId: json['AccessKeyId']!, secretAccessKey: json['SecretAccessKey']!, sessionToken: json['Token'] ?? '' },
    ...(json['Expiration'] ? { endsMs: Date.parse(json['Expiration']) } : {}),
  }
}
