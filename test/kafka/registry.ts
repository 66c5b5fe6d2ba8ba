// A schema registry of the tests: what Confluent's API says of subjects, versions, ids and references, in memory, over HTTP.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Entry {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

export interface TestRegistry {
  readonly url: string
  /** `GET /schemas/ids/1`, in the order of their arrival. */
  readonly requests: readonly string[]
  /** The id of a schema. */
  add(subject: string, entry: Entry): number
  /** All versions of a subject. */
  versions(subject: string): readonly Entry[]
  stop(): void
}

/** `login`: `user:password`; `closed`: subjects that take no more. */
export async function startRegistry({ login, closed = [] }: { login?: string; closed?: readonly string[] } = {}): Promise<TestRegistry> {
  const requests: string[] = []
  const schemas: Entry[] = []
  const subjects = new Map<string, number[]>()
  const same = (one: Entry, other: Entry): boolean => JSON.stringify(normal(one)) === JSON.stringify(normal(other))
  const idOf = (entry: Entry): number => schemas.findIndex((one) => same(one, entry)) + 1
  const add = (subject: string, entry: Entry): number => {
    const id = idOf(entry) || schemas.push(entry)
    const versions = subjects.get(subject) ?? []
    subjects.set(subject, versions.includes(id) ? versions : [...versions, id])
    return id
  }
  const isKnown = ({ subject, version }: NonNullable<Entry['references']>[number]): boolean =>
    subjects.get(subject)?.[version - 1] !== undefined

  const answer = async (request: IncomingMessage): Promise<readonly [status: number, body: object]> => {
    if (login && request.headers.authorization !== `Basic ${Buffer.from(login).toString('base64')}`)
      return [401, { error_code: 401, message: 'Unauthorized' }]
    const [, root, name, more, last] = (request.url ?? '').split('/')
    const subject = decodeURIComponent(name ?? '')
    const body = request.method === 'POST' ? (JSON.parse(await textOf(request)) as Entry) : undefined
    if (root === 'schemas' && name === 'ids' && !body) {
      const found = schemas[Number(more) - 1]
      return found ? [200, normal(found)] : [404, { error_code: 40403, message: 'Schema not found' }]
    }
    if (root !== 'subjects') return [404, { error_code: 404, message: 'HTTP 404 Not Found' }]
    const versions = subjects.get(subject) ?? []
    const described = (version: number): object => ({
      subject,
      version,
      id: versions[version - 1],
      ...normal(schemas[versions[version - 1]! - 1]!),
    })
    if (body && more === 'versions') {
      if (closed.includes(subject))
        return [409, { error_code: 409, message: 'Schema being registered is incompatible with an earlier schema' }]
      if (!(body.references ?? []).every(isKnown)) return [422, { error_code: 42201, message: 'No schema reference found' }]
      return [200, { id: add(subject, body) }]
    }
    if (body) {
      const version = versions.indexOf(idOf(body)) + 1
      return version > 0 ? [200, described(version)] : [404, { error_code: 40403, message: 'Schema not found' }]
    }
    return versions[Number(last) - 1] ? [200, described(Number(last))] : [404, { error_code: 40402, message: 'Version not found' }]
  }

  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(request).then(
      ([status, body]) =>
        response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(JSON.stringify(body)),
      (error: Error) => response.writeHead(500).end(error.message),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    add,
    versions: (subject) => (subjects.get(subject) ?? []).map((id) => schemas[id - 1]!),
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Avro is said by saying nothing, and so is having no references. */
const normal = ({ schema, schemaType = 'AVRO', references = [] }: Entry): Entry => ({
  schema,
  ...(schemaType === 'AVRO' ? {} : { schemaType }),
  ...(references.length > 0 ? { references } : {}),
})

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}
