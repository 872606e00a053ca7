package route

// methodNumber stands for a method within one tree, so that a leaf is searched without comparing text.
type methodNumber uint16

const (
	anyMethod     methodNumber = iota
	unknownMethod              // no pattern names it: only those for any method have it
	methodGet
	methodPost
	methodPut
	methodDelete
	methodHead
	methodOptions
	methodPatch
	firstOtherMethod
)

func usualMethod(method []byte) methodNumber {
	switch string(method) {
	case "GET":
		return methodGet
	case "POST":
		return methodPost
	case "PUT":
		return methodPut
	case "DELETE":
		return methodDelete
	case "HEAD":
		return methodHead
	case "OPTIONS":
		return methodOptions
	case "PATCH":
		return methodPatch
	}
	return unknownMethod
}

func otherMethod(others []string, method []byte) methodNumber {
	for i, m := range others {
		if m == string(method) {
			return firstOtherMethod + methodNumber(i)
		}
	}
	return unknownMethod
}

func (t *Tree[T]) methodNumber(method []byte) methodNumber {
	if n := usualMethod(method); n != unknownMethod {
		return n
	}
	return otherMethod(t.methods, method)
}

func (t *Tree[T]) methodName(n methodNumber) string {
	switch n {
	case methodGet:
		return "GET"
	case methodPost:
		return "POST"
	case methodPut:
		return "PUT"
	case methodDelete:
		return "DELETE"
	case methodHead:
		return "HEAD"
	case methodOptions:
		return "OPTIONS"
	case methodPatch:
		return "PATCH"
	}
	return t.methods[n-firstOtherMethod]
}

// isMethod wants a token of RFC 9110 §5.6.2. Methods are case-sensitive, so a lower-case one would match nothing that
// clients send: it is a slip of whoever wrote the document.
func isMethod(method string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	for i := range len(method) {
		c := method[i]
		if ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') {
			continue
		}
		isMark := false
		for k := range len(marks) {
			isMark = isMark || marks[k] == c
		}
		if !isMark {
			return false
		}
	}
	return method != ""
}
