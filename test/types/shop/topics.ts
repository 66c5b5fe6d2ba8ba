// Topics of Kafka in every format that messages can have.
import { config, secret, sink, stream, t, table } from 'millrace'
import { avro, json, kafka, protobuf } from 'millrace/kafka'

const bus = kafka('bus', { brokers: config('BROKERS', 'localhost:9092') })
const registry = { url: config('REGISTRY'), username: 'shop', password: secret('REGISTRY_PASSWORD') }
const scan = { id: t.long(), word: t.string().optional() }

export const plain = stream('plain', scan, { from: bus.topic('plain') })
export const byIds = [
  stream('in_json', scan, { from: bus.topic('in_json', { format: json({ registry: config('REGISTRY') }) }) }),
  stream('in_avro', scan, { from: bus.topic('in_avro', { format: avro({ registry }) }) }),
  stream('in_any', scan, { from: bus.topic('in_any', { format: protobuf({ registry }) }) }),
  stream('in_one', scan, { from: bus.topic('in_one', { format: protobuf({ registry, message: 'shop.Scan' }) }) }),
  stream('in_own', scan, { from: bus.topic('in_own', { format: protobuf({ proto: 'scan.proto', message: 'shop.Scan', registry }) }) }),
]
export const keyed = table('keyed', scan, { from: bus.topic('keyed', { keyFormat: protobuf({ registry }) }), key: 'id' })
export const out = sink('out', plain, {
  to: bus.topic('out', { format: protobuf({ proto: 'scan.proto', message: 'shop.Scan', registry }) }),
})

// @ts-expect-error JSON without a registry is 'json'
json({})
// @ts-expect-error a file has a message
protobuf({ proto: 'scan.proto', registry })
// @ts-expect-error a message is of a file or of a registry
protobuf({ message: 'shop.Scan' })
// @ts-expect-error a password is a secret
avro({ registry: { url: 'http://localhost:8081', password: 'guess' } })
// @ts-expect-error no such format
bus.topic('out', { format: 'xml' })
