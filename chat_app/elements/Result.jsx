import { useEffect, useRef } from "react"

export default function Result() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Result", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
