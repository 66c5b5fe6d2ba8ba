// A file that readers use while its owner may give it up: it is closed when the last of them is done.
import type { DiskFile } from '../core/disk.ts'

export class SharedFile {
  readonly file: DiskFile
  #users = 0
  #retired = false

  constructor(file: DiskFile) {
    this.file = file
  }

  async use<T>(action: (file: DiskFile) => Promise<T>): Promise<T> {
    this.#users++
    try {
      return await action(this.file)
    } finally {
      this.#users--
      await this.#closeWhenUnused()
    }
  }

  async retire(): Promise<void> {
    this.#retired = true
    await this.#closeWhenUnused()
  }

  async #closeWhenUnused(): Promise<void> {
    if (!this.#retired || this.#users > 0) return
    this.#users = Number.POSITIVE_INFINITY // closed once only
    await this.file.close()
  }
}
