// What every object store must do alike: run by the tests of each against its real server.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../src/core/disk.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'

export interface Subject {
  readonly store: ObjectStore
  /** A directory of its own, without a slash at its end. */
  readonly directory: string
  /** The same place with credentials that are not valid; undefined where there are none. */
  readonly denied?: ObjectStore
  /** Whether anybody may read. */
  readonly isReadable?: boolean
  /** A file in a bucket, container or file system that does not exist, and a store that would look there. */
  readonly nowhere?: { readonly store: ObjectStore; readonly path: string }
  /** Whether it signs URLs. */
  readonly signs: boolean
}

const code = (expected: ErrorCode) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, String(error))
  return true
}

const collect = async (store: ObjectStore, directory: string): Promise<string[]> => {
  const names: string[] = []
  for await (const { path } of store.list(directory)) names.push(path.slice(directory.length + 1))
  return names.sort()
}

/** Registers the contract's tests: those about credentials where the subject has some. */
export function objectStoreContract(name: string, subject: () => Subject): void {
  const bytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff))

  test(`${name}: what was put is read, as a whole, in ranges and as a stream`, async () => {
    const { store, directory } = subject()
    const [path, content] = [`${directory}/a/whole.bin`, bytes(100_000)]
    await store.makeDirectory(`${directory}/a`)
    const before = Date.now()
    await store.put(path, content)
    assert.deepEqual(await store.read(path), content)
    assert.deepEqual(await store.read(path, { start: 0, length: 10 }), content.subarray(0, 10))
    assert.deepEqual(await store.read(path, { start: 70_000, length: 1_000 }), content.subarray(70_000, 71_000))
    assert.deepEqual(await store.read(path, { start: 99_990, length: 1_000 }), content.subarray(99_990))
    const stat = await store.stat(path)
    assert.equal(stat?.sizeBytes, content.length)
    assert.equal(stat?.path, path)
    assert.ok(Math.abs(stat.modifiedMs - before) < 60_000, `${stat.modifiedMs} is not about ${before}`)
    const stream = await store.stream(path)
    assert.equal(stream.sizeBytes, content.length)
    const chunks: Uint8Array[] = []
    for await (const chunk of stream.chunks) chunks.push(chunk)
    assert.deepEqual(Buffer.concat(chunks), content)
    assert.equal(stream.etag, stat.etag)
  })

  test(`${name}: an empty file`, async () => {
    const { store, directory } = subject()
    await store.makeDirectory(`${directory}/empty`)
    await store.put(`${directory}/empty/e.bin`, Buffer.alloc(0))
    assert.equal((await store.read(`${directory}/empty/e.bin`)).length, 0)
    assert.equal((await store.stat(`${directory}/empty/e.bin`))?.sizeBytes, 0)
  })

  test(`${name}: a name is used once, and of racing writers one wins`, async () => {
    const { store, directory } = subject()
    await store.makeDirectory(`${directory}/race`)
    const path = `${directory}/race/one.bin`
    const writers = Array.from({ length: 16 }, (_, i) => Buffer.from(`writer ${i}`))
    const outcomes = await Promise.allSettled(writers.map((content) => store.put(path, content)))
    const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []))
    assert.equal(winners.length, 1)
    for (const outcome of outcomes) if (outcome.status === 'rejected') code('MR_OBJECT_EXISTS')(outcome.reason)
    assert.deepEqual(await store.read(path), writers[winners[0]!])
    await assert.rejects(store.put(path, Buffer.from('later')), code('MR_OBJECT_EXISTS'))
    assert.deepEqual(await store.read(path), writers[winners[0]!])
  })

  test(`${name}: files of this machine are uploaded, small ones and ones of several parts`, async () => {
    const { store, directory } = subject()
    const local = mkdtempSync(join(tmpdir(), 'objects-'))
    await store.makeDirectory(`${directory}/up`)
    try {
      for (const [file, size] of [
        ['small', 1_000],
        ['large', (33 << 20) + 7],
      ] as const) {
        const content = Buffer.alloc(size, bytes(65_521))
        writeFileSync(join(local, file), content)
        const from = await nodeDisk.open(join(local, file), 'read')
        try {
          await store.upload(`${directory}/up/${file}`, from)
          assert.ok((await store.read(`${directory}/up/${file}`)).equals(content))
          await assert.rejects(store.upload(`${directory}/up/${file}`, from), code('MR_OBJECT_EXISTS'))
        } finally {
          await from.close()
        }
      }
    } finally {
      rmSync(local, { recursive: true })
    }
  })

  test(`${name}: lists what is below a directory, at any depth and in any number`, async () => {
    const { store, directory } = subject()
    const names = ['x/1.avro', 'x/2.avro', 'x/deep/er/3.avro', ...Array.from({ length: 30 }, (_, i) => `many/${i}`)]
    for (const folder of ['x', 'x/deep/er', 'many', 'xy']) await store.makeDirectory(`${directory}/list/${folder}`)
    for (const name of [...names, 'xy/4.avro']) await store.put(`${directory}/list/${name}`, Buffer.from(name))
    assert.deepEqual(await collect(store, `${directory}/list/x`), ['1.avro', '2.avro', 'deep/er/3.avro'])
    assert.deepEqual(await collect(store, `${directory}/list`), [...names, 'xy/4.avro'].sort())
    assert.deepEqual(await collect(store, `${directory}/absent`), [])
  })

  test(`${name}: names with what URLs and XML would take for something else`, async () => {
    const { store, directory } = subject()
    const odd = [
      'sp ace',
      'plus+',
      'per%2Fcent',
      'amp&lt',
      "quo'te",
      'hash#',
      'que?ry',
      'equals=1',
      'ünïcode',
      'par(en)',
      'tilde~',
      'c,o;m@m!a',
    ]
    await store.makeDirectory(`${directory}/odd`)
    for (const name of odd) await store.put(`${directory}/odd/${name}`, Buffer.from(name))
    assert.deepEqual(await collect(store, `${directory}/odd`), [...odd].sort())
    for (const name of odd) {
      assert.equal((await store.read(`${directory}/odd/${name}`)).toString(), name)
      assert.equal((await store.stat(`${directory}/odd/${name}`))?.sizeBytes, Buffer.byteLength(name))
      await store.remove(`${directory}/odd/${name}`)
    }
    assert.deepEqual(await collect(store, `${directory}/odd`), [])
  })

  test(`${name}: what is missing is said to be, and removing it again is no error`, async () => {
    const { store, directory } = subject()
    const path = `${directory}/gone/x.bin`
    await store.makeDirectory(`${directory}/gone`)
    await assert.rejects(store.read(path), code('MR_OBJECT_MISSING'))
    await assert.rejects(store.read(path, { start: 0, length: 1 }), code('MR_OBJECT_MISSING'))
    await assert.rejects(
      store.stream(path).then(({ chunks }) => Array.fromAsync(chunks)),
      code('MR_OBJECT_MISSING'),
    )
    assert.equal(await store.stat(path), undefined)
    await store.put(path, Buffer.from('x'))
    await store.remove(path)
    await store.remove(path)
    assert.equal(await store.stat(path), undefined)
    await store.put(path, Buffer.from('again'))
    assert.equal((await store.read(path)).toString(), 'again')
  })

  const { signs, denied, nowhere, isReadable } = subject()

  test(`${name}: a presigned URL reads without credentials, or there is none`, async () => {
    const { store, directory } = subject()
    const path = `${directory}/signed/a b.bin`
    await store.makeDirectory(`${directory}/signed`)
    await store.put(path, Buffer.from('signed'))
    const url = await store.presign(path, 60)
    assert.equal(url !== undefined, signs)
    if (url === undefined) return
    const response = await fetch(url)
    assert.equal(response.status, 200)
    assert.equal(await response.text(), 'signed')
    const other = url.replace('a%20b.bin', 'c.bin')
    assert.notEqual((await fetch(other)).status, 200)
  })

  if (denied)
    test(`${name}: wrong credentials are an error that says so`, async () => {
      const { directory } = subject()
      await assert.rejects(denied.put(`${directory}/denied`, Buffer.from('x')), code('MR_OBJECT_DENIED'))
      if (!isReadable) await assert.rejects(denied.read(`${directory}/denied`), code('MR_OBJECT_DENIED'))
    })

  if (nowhere)
    test(`${name}: a missing bucket is an error that says so`, () =>
      assert.rejects(nowhere.store.put(nowhere.path, Buffer.from('x')), code('MR_OBJECT_BUCKET')))
}
