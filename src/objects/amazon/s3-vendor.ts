// Credentials of S3 for the files of one table: a role is taken with a policy of the session that names the table's prefix, so
// the store refuses whatever else the role may do. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
import { type CredentialVendor, isAllowed, VENDED_SECONDS } from '../credential-vendor.ts'
import type { HttpParts } from '../http.ts'
import { assumeRole } from './assume-role.ts'
import { openS3, type S3Options } from './s3-store.ts'

export interface S3VendOptions {
  /** ARN of the role that is taken: it may do at least what clients shall. */
  readonly role: string
  /** Of the token service. */
  readonly endpoint: string
  readonly externalId?: string
  /** ARN of the key that objects are encrypted with. */
  readonly kmsKey?: string
}

export function openS3Vendor(parts: HttpParts, store: S3Options, options: S3VendOptions): CredentialVendor {
  const { role, endpoint, externalId, kmsKey } = options
  const { bucket, region, credentials } = store
  const prefix = `s3://${bucket}/`
  return {
    prefix,
    properties: {
      ...(store.endpoint ? { 's3.endpoint': store.endpoint } : {}),
      's3.region': region,
      'client.region': region,
      's3.path-style-access': String(store.pathStyle),
    },
    refreshProperty: 'client.refresh-credentials-endpoint',
    async vend({ directory, isWrite, user }) {
      const place = { partition: partitionOf(role), bucket, key: directory.slice(prefix.length), kmsKey }
      const policy = sessionPolicy(place, isWrite)
      if (!policy) return undefined
      const session = await assumeRole(parts, {
        endpoint,
        region,
        credentials,
        role,
        ...(externalId ? { externalId } : {}),
        sessionName: `millrace-${user.replaceAll(/[^\w+=,.@-]/g, '-')}`.slice(0, 64),
        seconds: VENDED_SECONDS,
        policy,
      })
      const { accessKeyId, secretAccessKey, sessionToken } = session.credentials
      return {
        properties: {
          's3.access-key-id': accessKeyId,
          's3.secret-access-key': secretAccessKey,
          's3.session-token': sessionToken,
          's3.session-token-expires-at-ms': String(session.endsMs),
        },
        endsMs: session.endsMs,
      }
    },
    reads({ properties }, path) {
      const given = {
        accessKeyId: properties['s3.access-key-id']!,
        secretAccessKey: properties['s3.secret-access-key']!,
        sessionToken: properties['s3.session-token']!,
      }
      return isAllowed(openS3(parts, { ...store, credentials: async () => given }).stat(path))
    },
  }
}

/** `aws`, or that of China or the government; other stores name their roles as they like and their buckets as Amazon does. */
const partitionOf = (role: string): string => /^arn:(aws[\w-]*):/.exec(role)?.[1] ?? 'aws'

const READS = ['s3:GetObject']
const WRITES = ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts']

interface Place {
  readonly partition: string
  readonly bucket: string
  /** What the keys of its objects begin with, before a slash. */
  readonly key: string
  readonly kmsKey?: string | undefined
}

/** Undefined where the key has what a policy takes for a pattern or a variable: it would name other tables too. */
export function sessionPolicy({ partition, bucket, key, kmsKey }: Place, isWrite: boolean): string | undefined {
  if (key === '' || /[*?$]/.test(key)) return undefined
  const at = `arn:${partition}:s3:::${bucket}`
  const decrypts = isWrite ? ['kms:Decrypt', 'kms:GenerateDataKey'] : ['kms:Decrypt']
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: isWrite ? [...READS, ...WRITES] : READS, Resource: [`${at}/${key}/*`] },
      { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: [at], Condition: { StringLike: { 's3:prefix': [`${key}/*`] } } },
      ...(kmsKey ? [{ Effect: 'Allow', Action: decrypts, Resource: [kmsKey] }] : []),
    ],
  })
}
