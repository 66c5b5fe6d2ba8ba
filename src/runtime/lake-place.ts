// A place of a lake as its settings say it, with what they refer to taken from the environment: where it is, and how it is reached.
import type { Clock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { PlaceSettings, S3VendHow } from '../define/lake.ts'
import type { Text } from '../define/manifest.ts'
import { awsCredentials } from '../objects/amazon/credentials.ts'
import { openRemoteSigner } from '../objects/amazon/remote-sign.ts'
import { openS3, type S3Options } from '../objects/amazon/s3-store.ts'
import { openS3Vendor } from '../objects/amazon/s3-vendor.ts'
import { type AzureOptions, openAzure } from '../objects/azure/azure-store.ts'
import { openAzureVendor } from '../objects/azure/azure-vendor.ts'
import { azureAuthorization } from '../objects/azure/credentials.ts'
import { type CredentialVendor, keptVendor, provenVendor } from '../objects/credential-vendor.ts'
import { googleAuthorization } from '../objects/google/credentials.ts'
import { openGoogle } from '../objects/google/google-store.ts'
import { openWebHdfs } from '../objects/hdfs/webhdfs-store.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { RequestSigner } from '../objects/request-signer.ts'
import { resolveText } from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface PlaceParts {
  readonly clock: Clock
  readonly random: Random
  readonly environment: Environment
}

/** How clients of the Iceberg catalog reach files of the store without credentials of their own. */
export interface ClientAccess {
  /** Signs their requests, where the store allows it. */
  readonly signer?: RequestSigner
  /** Gives them credentials, where the project says so. */
  readonly vendor?: CredentialVendor
}

/** The file that says whose a place is. */
export const ownerOf = (root: string): string => `${root}/owner`

export interface LakePlace {
  /** Of every URI that its store serves. */
  readonly prefix: string
  /** URI of the place, without a slash at its end. */
  readonly root: string
  readonly store: ObjectStore
  readonly clients: ClientAccess
}

/** Nothing is asked of the store yet. @throws MR_ENVIRONMENT */
export function openPlace(parts: PlaceParts, lake: PlaceSettings): LakePlace {
  const { environment } = parts
  const text = (value: Text | undefined): string | undefined => (value === undefined ? undefined : resolveText(environment, value))
  const at = (prefix: string, path: Text | undefined, store: ObjectStore, clients: ClientAccess = {}): LakePlace => {
    const inside = (text(path) ?? '').replaceAll(/^\/+|\/+$/g, '')
    mustBePlain(inside)
    const root = `${prefix}${inside}`.replace(/\/$/, '')
    const { signer, vendor } = clients
    // What says whose the place is lies beside all tables.
    const kept = vendor && keptVendor(parts.clock, provenVendor(vendor, ownerOf(root)))
    return { prefix, root, store, clients: { ...(signer ? { signer } : {}), ...(kept ? { vendor: kept } : {}) } }
  }
  switch (lake.kind) {
    case 's3': {
      const bucket = text(lake.bucket)!
      const region = text(lake.region) ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1'
      const endpoint = text(lake.endpoint) ?? environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL']
      const [id, secret, token] = [text(lake.accessKeyId), text(lake.secretAccessKey), text(lake.sessionToken)]
      const given = id && secret ? { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) } : undefined
      const options: S3Options = {
        bucket,
        region,
        ...(endpoint ? { endpoint } : {}),
        pathStyle: lake.pathStyle ?? endpoint !== undefined,
        credentials: awsCredentials({ ...parts, disk: nodeDisk, region }, given),
        credentialsFrom: given ? 'the environment of the project' : 'the usual places (AWS_ACCESS_KEY_ID, a profile, a role)',
      }
      return at(`s3://${bucket}/`, lake.prefix, openS3(parts, options), {
        signer: openRemoteSigner(parts.clock, options),
        ...(lake.vend ? { vendor: s3Vendor(parts, options, lake.vend) } : {}),
      })
    }
    case 'azure': {
      const [account, container] = [text(lake.account)!, text(lake.container)!]
      const prefix = `abfss://${container}@${account}.dfs.core.windows.net/`
      const endpoint = text(lake.endpoint) ?? `https://${account}.blob.core.windows.net`
      const authorization = azureAuthorization({ ...parts, disk: nodeDisk }, { key: text(lake.key), sas: text(lake.sas) })
      const options: AzureOptions = { account, container, endpoint, prefix, authorization }
      const clients = lake.vend ? { vendor: openAzureVendor(parts, options) } : {}
      return at(prefix, lake.prefix, openAzure(parts, options), clients)
    }
    case 'google': {
      const bucket = text(lake.bucket)!
      const emulator = environment['STORAGE_EMULATOR_HOST']
      const endpoint = text(lake.endpoint) ?? (emulator ? emulator.replace(/^(?!https?:)/, 'http://') : 'https://storage.googleapis.com')
      const authorization = emulator ? null : googleAuthorization({ ...parts, disk: nodeDisk }, text(lake.credentialsFile))
      return at(`gs://${bucket}/`, lake.prefix, openGoogle(parts, { bucket, endpoint, authorization }))
    }
    case 'hdfs': {
      const urls = text(lake.url)!.split(',')
      // Names the cluster in metadata; other engines resolve it by their own configuration.
      const prefix = `hdfs://${new URL(urls[0]!).hostname}`
      const [user, token] = [text(lake.user) ?? environment['HADOOP_USER_NAME'], text(lake.token)]
      const store = openWebHdfs(parts, { urls, prefix, ...(user ? { user } : {}), ...(token ? { token } : {}) })
      return at(`${prefix}/`, lake.path, store)
    }
  }
}

function s3Vendor(parts: PlaceParts, store: S3Options, how: S3VendHow): CredentialVendor {
  const text = (value: Text | undefined): string | undefined => (value === undefined ? undefined : resolveText(parts.environment, value))
  const [externalId, kmsKey] = [text(how.externalId), text(how.kmsKey)]
  return openS3Vendor(parts, store, {
    role: text(how.role)!,
    endpoint:
      text(how.endpoint) ?? parts.environment['AWS_ENDPOINT_URL_STS'] ?? store.endpoint ?? `https://sts.${store.region}.amazonaws.com`,
    ...(externalId ? { externalId } : {}),
    ...(kmsKey ? { kmsKey } : {}),
  })
}

// Other engines take what stands in metadata as it stands; where one of them would decode it, it would find another object.
function mustBePlain(prefix: string): void {
  if (/^[\w./=-]*$/.test(prefix) && !prefix.split('/').includes('..')) return
  throw new MillraceError('MR_ENVIRONMENT', `"${prefix}" cannot be the prefix of a lake`, {
    fix: 'use letters, digits, dots, dashes, underscores and slashes',
  })
}
