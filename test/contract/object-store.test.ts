// The local disk and S3 pass the same contract; S3 is a real server, skipped where Go cannot build it. The other stores'
// servers are heavier: `object-store.long.test.ts`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openS3 } from '../../src/objects/amazon/s3-store.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import { objectStoreContract } from './object-stores.ts'

const directory = mkdtempSync(join(tmpdir(), 'object-store-'))
after(() => rmSync(directory, { recursive: true }))
objectStoreContract('local', () => ({ store: diskStore(nodeDisk), directory, signs: false }))

const server = await startS3()
if ('missing' in server) test('S3', { skip: server.missing }, () => {})
else {
  after(() => server.stop())
  server.makeBucket('lake')
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const open = (bucket: string, secret: string) =>
    openS3(
      { clock: systemClock, random: systemRandom },
      {
        bucket,
        region,
        endpoint,
        pathStyle: true,
        credentials: async () => ({ accessKeyId, secretAccessKey: secret }),
        credentialsFrom: 'the test',
      },
    )
  objectStoreContract('S3', () => ({
    store: open('lake', secretAccessKey),
    directory: 's3://lake/some/prefix',
    signs: true,
    denied: open('lake', 'wrong'),
    nowhere: { store: open('absent', secretAccessKey), path: 's3://absent/x' },
  }))
}
