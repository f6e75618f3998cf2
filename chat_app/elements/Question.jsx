import { useEffect, useRef } from "react"

export default function Question() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Question", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
