// A map from text to values of which most have a few members: a list that is searched one by one, and an index beside it once
// there are many. A `Map` for each of a million keys would take several times the memory and most of the time. Its order is
// that in which members were added, which undoing changes: nothing may depend on it.

const INDEX_FROM = 12

export class Member<V> {
  readonly key: string
  value: V
  next: Member<V> | null = null
  before: Member<V> | null

  constructor(key: string, value: V, before: Member<V> | null) {
    this.key = key
    this.value = value
    this.before = before
  }
}

export class SmallMap<V> {
  first: Member<V> | null = null
  #last: Member<V> | null = null
  size = 0
  #index: Map<string, Member<V>> | null = null

  find(key: string): Member<V> | null {
    if (this.#index !== null) return this.#index.get(key) ?? null
    for (let at = this.first; at !== null; at = at.next) if (at.key === key) return at
    return null
  }

  get(key: string): V | undefined {
    return this.find(key)?.value
  }

  set(key: string, value: V): void {
    const found = this.find(key)
    if (found) found.value = value
    else this.add(key, value)
  }

  /** A key that is not in it. */
  add(key: string, value: V): void {
    const member = new Member(key, value, this.#last)
    if (this.#last === null) this.first = member
    else this.#last.next = member
    this.#last = member
    this.size++
    if (this.#index !== null) this.#index.set(key, member)
    else if (this.size > INDEX_FROM) this.#index = new Map(this.members().map((own) => [own.key, own]))
  }

  delete(key: string): void {
    const found = this.find(key)
    if (found) this.remove(found)
  }

  /** Its `next` still leads on. */
  remove(member: Member<V>): void {
    const { next, before } = member
    if (before === null) this.first = next
    else before.next = next
    if (next === null) this.#last = before
    else next.before = before
    this.size--
    this.#index?.delete(member.key)
  }

  members(): Member<V>[] {
    const members: Member<V>[] = []
    for (let at = this.first; at !== null; at = at.next) members.push(at)
    return members
  }

  entries(): [string, V][] {
    return this.members().map(({ key, value }) => [key, value])
  }

  static from<V>(entries: Iterable<readonly [string, V]>): SmallMap<V> {
    const map = new SmallMap<V>()
    for (const [key, value] of entries) map.add(key, value)
    return map
  }

  /** About how many bytes it takes beside its values. */
  get sizeBytes(): number {
    let bytes = 56
    for (let at = this.first; at !== null; at = at.next) bytes += 80 + at.key.length
    return this.#index === null ? bytes : bytes + 48 * this.size
  }
}
