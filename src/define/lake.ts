// Where the tables of an environment lie when not in the data directory: a bucket, container or path of an object store; and which
// catalog knows them, when it is not Millrace's own. Only references to secrets are taken, never their values. What is left out
// comes from the environment as the store's own tools read it.
import type { ConfigRef, Text } from './manifest.ts'

export interface S3LakeHow {
  readonly bucket: Text
  /** Below which the tables lie: `teams/shop`. */
  readonly prefix?: Text
  /** Default: AWS_REGION, then us-east-1. */
  readonly region?: Text
  /** Of a compatible store, `https://...`. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, then Amazon's. */
  readonly endpoint?: Text
  /** Whether the bucket is in the path rather than in the host's name. Default: with an endpoint yes, at Amazon no. */
  readonly pathStyle?: boolean
  readonly accessKeyId?: Text
  readonly secretAccessKey?: ConfigRef
  readonly sessionToken?: ConfigRef
  /** Gives clients of the Iceberg catalog that ask for them credentials of their own, each for one table; default: none. */
  readonly vend?: S3VendHow
}

export interface S3VendHow {
  /** ARN of the role that is taken for them, each time with the rights for one table's files only. */
  readonly role: Text
  /** Of the token service (STS). Default: AWS_ENDPOINT_URL_STS, then `endpoint` of the store, then Amazon's. */
  readonly endpoint?: Text
  /** Where the role's trust policy asks for one. */
  readonly externalId?: Text
  /** ARN of the key that the bucket is encrypted with, where that is a key of KMS: clients need it too. */
  readonly kmsKey?: Text
}

export interface AzureLakeHow {
  readonly account: Text
  readonly container: Text
  readonly prefix?: Text
  /** Default: `https://<account>.blob.core.windows.net`. */
  readonly endpoint?: Text
  /** Key of the account, or a shared access signature; default: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, a service principal, a managed identity. */
  readonly key?: ConfigRef
  readonly sas?: ConfigRef
  /**
   * Gives clients of the Iceberg catalog that ask for them signatures of their own, each for one table's directory: in accounts with
   * a hierarchical namespace. Default: none.
   */
  readonly vend?: boolean
}

export interface GoogleLakeHow {
  readonly bucket: Text
  readonly prefix?: Text
  /** Default: Google's, or STORAGE_EMULATOR_HOST. */
  readonly endpoint?: Text
  /** Path of a service account's key file. Default: GOOGLE_APPLICATION_CREDENTIALS, then the machine's own account. */
  readonly credentialsFile?: Text
}

export interface HdfsLakeHow {
  /** Of WebHDFS, as `http://namenode:9870`; several, separated by commas, for a name node and its stand-by. */
  readonly url: Text
  /** Absolute path below which the tables lie. */
  readonly path: Text
  /** Default: HADOOP_USER_NAME. */
  readonly user?: Text
  /** A delegation token, where the cluster wants one. */
  readonly token?: ConfigRef
}

export interface RestCatalogHow {
  /** As other clients have it, without `/v1`. */
  readonly uri: Text
  /** Name or place of the warehouse, where the catalog has several. */
  readonly warehouse?: Text
  /** Where the project's tables are: `shop`, or levels joined by dots. Made when it is missing. */
  readonly namespace: Text
  /** A bearer token. */
  readonly token?: ConfigRef
  /** `id:secret` of OAuth 2 client credentials. */
  readonly credential?: ConfigRef
  /** Where tokens come from for the credential. Default: the catalog's own `/v1/oauth/tokens`. */
  readonly oauth2Uri?: Text
  /** Of the tokens; default `catalog`. */
  readonly scope?: Text
  /** Where the files lie, which the catalog must be able to reach as well. Default: in the data directory, for a catalog on this machine. */
  readonly files?: PlaceSettings
}

/** Where files lie. */
export type PlaceSettings =
  | ({ readonly kind: 's3' } & S3LakeHow)
  | ({ readonly kind: 'azure' } & AzureLakeHow)
  | ({ readonly kind: 'google' } & GoogleLakeHow)
  | ({ readonly kind: 'hdfs' } & HdfsLakeHow)

/** Where files lie, or the catalog that knows the tables, with where their files lie. */
export type LakeSettings = PlaceSettings | ({ readonly kind: 'rest' } & RestCatalogHow)

/** A bucket of Amazon S3 or of a store that speaks its protocol. */
export const s3Lake = (how: S3LakeHow): PlaceSettings => Object.freeze({ kind: 's3', ...how })

/** A container of Azure Blob Storage. */
export const azureLake = (how: AzureLakeHow): PlaceSettings => Object.freeze({ kind: 'azure', ...how })

/** A bucket of Google Cloud Storage. */
export const googleLake = (how: GoogleLakeHow): PlaceSettings => Object.freeze({ kind: 'google', ...how })

/** A path of HDFS, through WebHDFS. */
export const hdfsLake = (how: HdfsLakeHow): PlaceSettings => Object.freeze({ kind: 'hdfs', ...how })

/** An Iceberg REST catalog in place of Millrace's own: Polaris, Lakekeeper, Nessie, or another Millrace. */
export const restCatalog = (how: RestCatalogHow): LakeSettings => Object.freeze({ kind: 'rest', ...how })
