// The part of gRPC's interoperability service that browsers can call, as
// grpc/testing/test.proto has it.
import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const [string, bytes, int32, message] = [9, 12, 5, 11];
const field = (name, number, type, typeName, label = 1) => ({
  name, number, type, label, jsonName: name.replace(/_(.)/g, (_, c) => c.toUpperCase()),
  ...(typeName && { typeName: ".grpc.testing." + typeName }),
});
const method = (name, inputType, outputType, serverStreaming = false) => ({
  name, inputType: ".grpc.testing." + inputType, outputType: ".grpc.testing." + outputType, serverStreaming,
});

const registry = createFileRegistry(create(FileDescriptorSetSchema, {
  file: [create(FileDescriptorProtoSchema, {
    name: "test.proto", package: "grpc.testing", syntax: "proto3",
    messageType: [
      { name: "Empty" },
      { name: "Payload", field: [field("body", 2, bytes)] },
      { name: "EchoStatus", field: [field("code", 1, int32), field("message", 2, string)] },
      {
        name: "SimpleRequest",
        field: [field("response_size", 2, int32), field("payload", 3, message, "Payload"), field("response_status", 7, message, "EchoStatus")],
      },
      { name: "SimpleResponse", field: [field("payload", 1, message, "Payload")] },
      { name: "ResponseParameters", field: [field("size", 1, int32), field("interval_us", 2, int32)] },
      {
        name: "StreamingOutputCallRequest",
        field: [field("response_parameters", 2, message, "ResponseParameters", 3), field("payload", 3, message, "Payload"), field("response_status", 7, message, "EchoStatus")],
      },
      { name: "StreamingOutputCallResponse", field: [field("payload", 1, message, "Payload")] },
    ],
    service: [{
      name: "TestService",
      method: [
        method("EmptyCall", "Empty", "Empty"),
        method("UnaryCall", "SimpleRequest", "SimpleResponse"),
        method("StreamingOutputCall", "StreamingOutputCallRequest", "StreamingOutputCallResponse", true),
        method("UnimplementedCall", "Empty", "Empty"),
      ],
    }],
  })],
}));

export const TestService = registry.getService("grpc.testing.TestService");
