// Signatures against Amazon's published examples (S3 API reference, "Authenticating Requests (AWS Signature Version 4)").
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { presignUrl, sign } from './sign.ts'

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const options = { credentials, region: 'us-east-1', service: 's3', nowMs: Date.UTC(2013, 4, 24) }
const bucket = 'https://examplebucket.s3.amazonaws.com'
const signatureOf = (headers: Readonly<Record<string, string>>): string => /Signature=([0-9a-f]+)$/.exec(headers['authorization']!)![1]!

test('GET of an object with a range', () => {
  const { headers } = sign({ method: 'GET', url: `${bucket}/test.txt`, query: {}, headers: { Range: 'bytes=0-9' } }, options)
  assert.equal(signatureOf(headers), 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41')
  assert.match(headers['authorization']!, /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,/)
})

test('PUT of an object whose name needs encoding', () => {
  const headers = { Date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' }
  const asked = { method: 'PUT', url: `${bucket}/test%24file.text`, query: {}, headers, body: 'Welcome to Amazon S3.' }
  assert.equal(signatureOf(sign(asked, options).headers), '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd')
})

test('queries without and with values', () => {
  const lifecycle = sign({ method: 'GET', url: `${bucket}/`, query: { lifecycle: '' }, headers: {} }, options)
  assert.equal(signatureOf(lifecycle.headers), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543')
  const list = sign({ method: 'GET', url: `${bucket}/`, query: { prefix: 'J', 'max-keys': '2' }, headers: {} }, options)
  assert.equal(signatureOf(list.headers), '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7')
  assert.equal(list.url, `${bucket}/?max-keys=2&prefix=J`)
})

test('a URL that carries its signature', () => {
  const url = presignUrl({ method: 'GET', url: `${bucket}/test.txt`, query: {} }, 86_400, options)
  assert.equal(new URL(url).searchParams.get('X-Amz-Signature'), 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404')
})

test('a session token is signed with the rest', () => {
  const temporary = { ...options, credentials: { ...credentials, sessionToken: 'a token' } }
  const { headers } = sign({ method: 'GET', url: `${bucket}/test.txt`, query: {}, headers: {} }, temporary)
  assert.equal(headers['x-amz-security-token'], 'a token')
  assert.match(headers['authorization']!, /x-amz-date;x-amz-security-token,/)
})
