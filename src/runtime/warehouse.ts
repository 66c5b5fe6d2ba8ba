// Where a data directory's tables and checkpoints lie: in it, or in an object store with a cache beside. What the project chose
// is kept in `<data>/warehouse.json`, without secrets, for commands that work on the directory without the project.
import { existsSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { LakeSettings, PlaceSettings, S3VendHow } from '../define/lake.ts'
import type { Manifest, Text } from '../define/manifest.ts'
import type { RemoteFiles } from '../lake/open-lake.ts'
import { awsCredentials } from '../objects/amazon/credentials.ts'
import { openRemoteSigner } from '../objects/amazon/remote-sign.ts'
import { openS3, type S3Options } from '../objects/amazon/s3-store.ts'
import { openS3Vendor } from '../objects/amazon/s3-vendor.ts'
import { type AzureOptions, openAzure } from '../objects/azure/azure-store.ts'
import { openAzureVendor } from '../objects/azure/azure-vendor.ts'
import { azureAuthorization } from '../objects/azure/credentials.ts'
import { type CredentialVendor, keptVendor, provenVendor } from '../objects/credential-vendor.ts'
import { diskStore } from '../objects/disk-store.ts'
import { FileCache } from '../objects/file-cache.ts'
import { googleAuthorization } from '../objects/google/credentials.ts'
import { openGoogle } from '../objects/google/google-store.ts'
import { openWebHdfs } from '../objects/hdfs/webhdfs-store.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { RequestSigner } from '../objects/request-signer.ts'
import { routeStores, type Served } from '../objects/route.ts'
import type { DataDirectory } from './data-directory.ts'
import { resolveText } from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface WarehouseParts {
  readonly clock: Clock
  readonly random: Random
  readonly environment: Environment
  readonly data: DataDirectory
  readonly cacheBytes: number
}

export interface Warehouse {
  /** Of the data directory. */
  readonly id: string
  /** Where new tables are made. */
  readonly directory: string
  /** Where tables may lie as well: those of before the project chose this warehouse. */
  readonly formerly: readonly string[]
  readonly checkpoints: string
  readonly store: ObjectStore
  readonly remote?: RemoteFiles
  readonly clients: ClientAccess
}

/** How clients of the Iceberg catalog reach files of the store without credentials of their own. */
export interface ClientAccess {
  /** Signs their requests, where the store allows it. */
  readonly signer?: RequestSigner
  /** Gives them credentials, where the project says so. */
  readonly vendor?: CredentialVendor
}

const FILE = 'warehouse.json'

/** The directory of an archive place that is ours: what lies beside it there is not looked at. */
export const archivesIn = (place: string): string => `${place}/archive`

/** Places that the manifest archives to, beside the lake. */
export const archivePlaces = ({ relations }: Manifest): string[] => [
  ...new Set(relations.flatMap(({ keep }) => (keep.archive === undefined || keep.archive === '' ? [] : [keep.archive]))),
]

/**
 * The warehouse of a data directory with its archives; an object store answered once before this resolves.
 * @throws MR_OBJECT_BUCKET, MR_OBJECT_DENIED, MR_OBJECT_BUSY, MR_ENVIRONMENT
 */
export async function openWarehouse(
  parts: WarehouseParts,
  lake: LakeSettings | undefined,
  archives: readonly string[] = lastArchives(parts.data),
): Promise<Warehouse> {
  const { data } = parts
  const local = diskStore(nodeDisk)
  const id = readChosen(data)?.id ?? uuidV7(parts.clock.nowMs(), parts.random)
  // A place that was used before has tables still.
  const places = [...new Set([...lastArchives(data), ...archives])]
  const at = readChosen(data)?.at
  writeChosen(data, { id, lake: lake ?? null, archives: places, ...(at === undefined ? {} : { at }) })
  const archived = places.map(archivesIn)
  const chosen = lake?.kind === 'rest' ? lake.files : lake
  if (!chosen) {
    const store = routeStores(local, [])
    for (const place of places) await own(store, place, id)
    return { id, directory: data.lake, formerly: archived, checkpoints: data.checkpoints, store: local, clients: {} }
  }
  const { served, root, clients } = openServed(parts, chosen)
  const routed = routeStores(local, [served])
  for (const place of [root, ...places]) await own(routed, place, id)
  const directory = `${root}/lake`
  for await (const _ of routed.list(directory)) break
  const { clock, random, cacheBytes } = parts
  const cache = await FileCache.open({ disk: nodeDisk, clock, random, store: routed, directory: data.cache, sizeMaxBytes: cacheBytes })
  const remove = async (path: string): Promise<void> => {
    await routed.remove(path)
    await cache.forget(path)
  }
  const store = { ...routed, remove }
  const remote = { store, cache, stagingDirectory: data.staging }
  return {
    id,
    directory,
    formerly: [data.lake, ...archived],
    checkpoints: `${root}/checkpoints`,
    store,
    remote,
    clients,
  }
}

/** What was chosen when the directory was last used with its project. */
export const lastWarehouse = (data: DataDirectory): LakeSettings | undefined => readChosen(data)?.lake ?? undefined

/** The archives that the directory ever used: their tables stay where they are. */
export const lastArchives = (data: DataDirectory): readonly string[] => readChosen(data)?.archives ?? []

/** Where the directory was when it was last used. */
export const lastPlace = (data: DataDirectory): string => readChosen(data)?.at ?? data.path

/** From now on its tables are where it is. */
export function recordPlace(data: DataDirectory): void {
  const chosen = readChosen(data)
  if (chosen && chosen.at !== data.path) writeChosen(data, { ...chosen, at: data.path })
}

/**
 * A directory that was moved has tables that name files where it was, and a copy those of the one that it was copied from, which it
 * would change. @throws MR_DATA_MOVED
 */
export function mustBeInPlace(data: DataDirectory): void {
  const at = lastPlace(data)
  if (at === data.path || (existsSync(at) && realpathSync(at) === realpathSync(data.path))) return
  throw new MillraceError(
    'MR_DATA_MOVED',
    `${data.path} was ${existsSync(at) ? 'copied' : 'moved'} from ${at}, and its tables name files there`,
    {
      fix: 'run `millrace relocate --in-place` on it: their metadata is written anew',
    },
  )
}

interface Chosen {
  /** Of the data directory. */
  readonly id: string
  readonly lake: LakeSettings | null
  readonly archives?: readonly string[]
  /** Where the directory was when it was last used: its tables name their files by that. */
  readonly at?: string
}

function readChosen(data: DataDirectory): Chosen | undefined {
  const path = join(data.path, FILE)
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Chosen
  } catch (cause) {
    throw new MillraceError('MR_DATA_DIRECTORY', `${path} cannot be read`, {
      cause,
      fix: 'put it back from a backup: it says where the lake lies, and whose it is',
    })
  }
}

/** In one step: a cut file would make this directory another one. */
function writeChosen(data: DataDirectory, chosen: Chosen): void {
  const path = join(data.path, FILE)
  writeFileSync(`${path}.new`, `${JSON.stringify(chosen)}\n`)
  renameSync(`${path}.new`, path)
}

const ownerOf = (root: string): string => `${root}/owner`

/**
 * Says in the store whose it is: of two data directories in one place each would take the other's files for orphans.
 * @throws MR_OBJECT_STORE when it is another's.
 */
async function own(store: ObjectStore, root: string, id: string): Promise<void> {
  const path = ownerOf(root)
  await store.makeDirectory(root)
  try {
    await store.put(path, Buffer.from(id))
  } catch (error) {
    if (asMillraceError(error).code !== 'MR_OBJECT_EXISTS') throw error
    const owner = (await store.read(path)).toString('utf8')
    if (owner === id) return
    throw new MillraceError('MR_OBJECT_STORE', `${root} is the lake of another data directory (${owner}, this one is ${id})`, {
      fix: `choose another prefix; or, when that directory is gone and this one is its restored copy, remove ${path}`,
    })
  }
}

interface Opened {
  readonly served: Served
  /** URI of the place, without a slash at its end. */
  readonly root: string
  readonly clients: ClientAccess
}

function openServed(parts: WarehouseParts, lake: PlaceSettings): Opened {
  const { environment } = parts
  const text = (value: Text | undefined): string | undefined => (value === undefined ? undefined : resolveText(environment, value))
  const at = (prefix: string, path: Text | undefined, store: ObjectStore, clients: ClientAccess = {}): Opened => {
    const inside = (text(path) ?? '').replaceAll(/^\/+|\/+$/g, '')
    mustBePlain(inside)
    const root = `${prefix}${inside}`.replace(/\/$/, '')
    const { signer, vendor } = clients
    // What says whose the place is lies beside all tables.
    const kept = vendor && keptVendor(parts.clock, provenVendor(vendor, ownerOf(root)))
    return { served: { prefix, store }, root, clients: { ...(signer ? { signer } : {}), ...(kept ? { vendor: kept } : {}) } }
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

function s3Vendor(parts: WarehouseParts, store: S3Options, how: S3VendHow): CredentialVendor {
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
