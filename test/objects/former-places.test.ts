// Places that a project has chosen before: tables there are reached as long as their settings can be, what nobody needs is removed only
// where the place is this data directory's still, and one that is empty is forgotten. Skipped where the server cannot be had.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { config, s3Lake, secret } from '../../src/index.ts'
import { takeDataDirectory } from '../../src/runtime/data-directory.ts'
import { openWarehouse, type Warehouse } from '../../src/runtime/warehouse.ts'

const s3 = await startS3()
if ('missing' in s3) test('former places', { skip: s3.missing }, () => {})
else {
  after(() => s3.stop())
  const lakeIn = (bucket: string) =>
    s3Lake({
      bucket,
      prefix: 'shop',
      endpoint: config('ENDPOINT'),
      accessKeyId: config(`KEY_${bucket}`),
      secretAccessKey: secret('SECRET'),
    })

  test('former places are reached, looked after, and forgotten', async (t) => {
    const data = takeDataDirectory(mkdtempSync(join(tmpdir(), 'millrace-former-')))
    t.after(() => {
      data.release()
      rmSync(data.path, { recursive: true })
    })
    for (const bucket of ['one', 'two']) s3.makeBucket(bucket)
    const keys = { KEY_one: s3.accessKeyId, KEY_two: s3.accessKeyId }
    const open = (lake: string | null, environment: Record<string, string> = keys): Promise<Warehouse> =>
      openWarehouse(
        {
          clock: systemClock,
          random: systemRandom,
          environment: { ENDPOINT: s3.endpoint, SECRET: s3.secretAccessKey, ...environment },
          data,
          cacheBytes: 1e6,
        },
        lake === null ? undefined : lakeIn(lake),
      )
    const placesOf = ({ before }: Warehouse): string[] => before.map(({ directory }) => directory)
    const FILE = 's3://one/shop/lake/orders/data/a.parquet'
    const one = join(s3.directory, 'one', 'shop')

    const first = await open('one')
    assert.deepEqual([first.directory, placesOf(first), first.formerly], ['s3://one/shop/lake', [data.lake], [data.lake]])
    await first.store.put(FILE, Buffer.from('rows'))
    await assert.rejects(open('three'), { code: 'MR_ENVIRONMENT' })
    await assert.rejects(open('three', { ...keys, KEY_three: s3.accessKeyId }), { code: 'MR_OBJECT_BUCKET' })

    const second = await open('two')
    assert.deepEqual(
      [second.directory, placesOf(second)],
      ['s3://two/shop/lake', [data.lake, 's3://one/shop/lake']],
      'a mistake is not a place',
    )
    assert.deepEqual(second.formerly, [data.lake, 's3://one/shop/lake'])
    assert.equal((await second.store.read(FILE)).toString(), 'rows')
    await second.store.put('s3://two/shop/lake/orders/data/b.parquet', Buffer.from('more'))

    const local = await open(null)
    assert.deepEqual([local.directory, placesOf(local)], [data.lake, ['s3://one/shop/lake', 's3://two/shop/lake']])
    assert.equal((await local.store.read('s3://two/shop/lake/orders/data/b.parquet')).toString(), 'more')
    assert.equal((await local.store.read(FILE)).toString(), 'rows')

    const blind = await open(null, { KEY_two: s3.accessKeyId })
    assert.deepEqual([placesOf(blind).length, blind.formerly], [2, ['s3://two/shop/lake']])
    await assert.rejects(blind.store.read(FILE), { code: 'MR_OBJECT_STORE' })

    const again = await open('one')
    assert.deepEqual([again.directory, placesOf(again)], ['s3://one/shop/lake', [data.lake, 's3://two/shop/lake']])

    // Another data directory has taken the place: what lies there is not ours to remove, and can be read still.
    await open('two')
    writeFileSync(join(one, 'owner'), 'another')
    const taken = await open('two')
    assert.deepEqual([placesOf(taken), taken.formerly], [[data.lake, 's3://one/shop/lake'], [data.lake]])
    assert.equal((await taken.store.read(FILE)).toString(), 'rows')
    await assert.rejects(open('one'), { code: 'MR_OBJECT_STORE' })

    rmSync(join(one, 'lake'), { recursive: true })
    assert.deepEqual(placesOf(await open('two')), [data.lake], 'it is empty, and forgotten')
    assert.deepEqual(readdirSync(one), ['owner'], 'which is another')
  })
}
