// A schema registry by its HTTP interface: schemas by id, and schemas that are registered. What it has said once is true for ever.
// Source: Confluent's Schema Registry API, "Schemas" and "Subjects".
import { MillraceError } from '../../core/errors.ts'

export interface RegistrySettings {
  readonly url: string
  readonly username?: string
  readonly password?: string
}

const TIMEOUT_MS = 10_000
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'

export class SchemaRegistry {
  readonly #settings: RegistrySettings
  readonly #byId = new Map<number, string>()

  constructor(settings: RegistrySettings) {
    this.#settings = settings
  }

  /** Null when there is none of this id. @throws MR_KAFKA_SCHEMA */
  async schema(id: number): Promise<string | null> {
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const answer = await this.#ask(`/schemas/ids/${id}`)
    if (answer === null) return null
    const { schema, schemaType = 'AVRO', references = [] } = answer as { schema: string; schemaType?: string; references?: unknown[] }
    if (schemaType !== 'AVRO' || references.length > 0)
      throw new MillraceError(
        'MR_KAFKA_SCHEMA',
        `schema ${id} of ${this.#settings.url} is ${schemaType}${references.length > 0 ? ' and refers to others' : ''}`,
        { fix: 'register an Avro schema that stands alone' },
      )
    this.#byId.set(id, schema)
    return schema
  }

  /** The id of a schema under a subject, which it gets now if it has none. @throws MR_KAFKA_SCHEMA */
  async register(subject: string, schema: string): Promise<number> {
    const answer = await this.#ask(`/subjects/${encodeURIComponent(subject)}/versions`, JSON.stringify({ schema }))
    if (typeof (answer as { id?: unknown })?.id === 'number') return (answer as { id: number }).id
    throw this.#failed(`does not register a schema for ${subject}`, undefined)
  }

  async #ask(path: string, body?: string): Promise<unknown> {
    const { url, username, password } = this.#settings
    const login =
      username === undefined ? {} : { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }
    let response: Response
    let text: string
    try {
      response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, ...login },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      })
      text = await response.text()
    } catch (cause) {
      throw this.#failed(`cannot be reached: ${(cause as Error).message}`, cause)
    }
    if (response.status === 404 && body === undefined) return null
    if (!response.ok) throw this.#failed(`answers ${response.status} to ${path}: ${text.slice(0, 200)}`, undefined)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw this.#failed(`answers ${path} with what is no JSON`, cause)
    }
  }

  #failed(what: string, cause: unknown): MillraceError {
    return new MillraceError('MR_KAFKA_SCHEMA', `the schema registry ${this.#settings.url} ${what}`, {
      cause,
      fix: 'check its address and credentials; it is asked again',
    })
  }
}
