// Azure Blob, Google Cloud Storage and HDFS pass the contract of object stores, against servers that are installed for it:
// Azurite and fake-gcs-server are emulators, HDFS is the real one.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startAzurite } from '../../scripts/servers/azurite.ts'
import { startFakeGcs } from '../../scripts/servers/fake-gcs.ts'
import { startWebHdfs } from '../../scripts/servers/webhdfs.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { type AzureOptions, openAzure } from '../../src/objects/azure/azure-store.ts'
import { SERVICE_VERSION, sharedKey } from '../../src/objects/azure/sign.ts'
import { openGoogle } from '../../src/objects/google/google-store.ts'
import { openWebHdfs } from '../../src/objects/hdfs/webhdfs-store.ts'
import { objectStoreContract } from './object-stores.ts'

const parts = { clock: systemClock, random: systemRandom }

const azure = await startAzurite()
if ('missing' in azure) test('Azure', { skip: azure.missing }, () => {})
else {
  after(() => azure.stop())
  const { account, key, endpoint } = azure
  const url = `${endpoint}/lake`
  const headers: Record<string, string> = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': SERVICE_VERSION }
  const query = { restype: 'container' }
  headers['authorization'] = sharedKey(account, key, { method: 'PUT', url, query, headers, bodyBytes: 0 })
  const made = await fetch(`${url}?restype=container`, { method: 'PUT', headers })
  assert.equal(made.status, 201, await made.text())
  const open = (container: string, authorization: AzureOptions['authorization']) =>
    openAzure(parts, { account, container, endpoint, prefix: `abfss://${container}@${account}.dfs.core.windows.net/`, authorization })
  const wrong = Buffer.from('wrong').toString('base64')
  objectStoreContract('Azure', () => ({
    store: open('lake', { kind: 'key', key }),
    directory: `abfss://lake@${account}.dfs.core.windows.net/some/prefix`,
    signs: true,
    denied: open('lake', { kind: 'key', key: wrong }),
    nowhere: { store: open('absent', { kind: 'key', key }), path: `abfss://absent@${account}.dfs.core.windows.net/x` },
  }))
}

const google = await startFakeGcs()
if ('missing' in google) test('Google', { skip: google.missing }, () => {})
else {
  after(() => google.stop())
  await google.makeBucket('lake')
  const open = (bucket: string) => openGoogle(parts, { bucket, endpoint: google.endpoint, authorization: null })
  objectStoreContract('Google', () => ({
    store: open('lake'),
    directory: 'gs://lake/some/prefix',
    signs: false,
    nowhere: { store: open('absent'), path: 'gs://absent/x' },
  }))
}

const hdfs = await startWebHdfs()
if ('missing' in hdfs) test('HDFS', { skip: hdfs.missing }, () => {})
else {
  after(() => hdfs.stop())
  const open = (user: string) => openWebHdfs(parts, { urls: [hdfs.url], prefix: 'hdfs://127.0.0.1', user })
  const owner = open(process.env['USER'] ?? 'root')
  objectStoreContract('HDFS', () => ({
    store: owner,
    directory: 'hdfs://127.0.0.1/some/prefix',
    denied: open('nobody'),
    isReadable: true,
    signs: false,
  }))
}
