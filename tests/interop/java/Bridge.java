// Controls Netty through the frames on stdin and stdout that python/bridged.py documents.
//
//     java -cp netty-all.jar:... Bridge

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketClientExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

public class Bridge {
    static final int MAX_MESSAGE = 32 << 20;
    static final NioEventLoopGroup GROUP = new NioEventLoopGroup(2);
    static final DataOutputStream OUT = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
    static final Map<Integer, Frames> OPEN = new ConcurrentHashMap<>();
    static final AtomicInteger NEXT = new AtomicInteger(1 << 30); // the server's connections; the other end numbers those that it opens

    public static void main(String[] args) throws Exception {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        try {
            while (true) {
                int id = in.readInt();
                int kind = in.readByte();
                byte[] payload = new byte[in.readInt()];
                in.readFully(payload);
                if (kind == 'S') serve();
                else if (kind == 'N') connect(id, new String(payload, StandardCharsets.UTF_8).split("\n", -1));
                else OPEN.get(id).write(kind, payload);
            }
        } catch (EOFException end) {
            System.exit(0);
        }
    }

    static void tell(int id, int kind, byte[] payload) {
        synchronized (OUT) {
            try {
                OUT.writeInt(id);
                OUT.writeByte(kind);
                OUT.writeInt(payload.length);
                OUT.write(payload);
                OUT.flush();
            } catch (IOException gone) {
                System.exit(1);
            }
        }
    }

    static byte[] utf8(String text) {
        return (text == null ? "" : text).getBytes(StandardCharsets.UTF_8);
    }

    static byte[] coded(int code, byte[] rest) {
        return ByteBufUtil.getBytes(Unpooled.wrappedBuffer(new byte[] {(byte) (code >> 8), (byte) code}, rest));
    }

    static void serve() {
        new ServerBootstrap().group(GROUP).channel(NioServerSocketChannel.class)
            .childHandler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536), new Router());
                }
            })
            .bind("127.0.0.1", 0)
            .addListener((ChannelFutureListener) bound -> tell(
                0, 'L', utf8("" + ((InetSocketAddress) bound.channel().localAddress()).getPort())));
    }

    // Arguments: level, whether the client may limit our window, the client's window, and both again for takeover.
    static PerMessageDeflateServerExtensionHandshaker deflateServer(String setting) {
        if (setting.startsWith("client-")) {
            int bits = Integer.parseInt(setting.substring("client-".length()));
            return new PerMessageDeflateServerExtensionHandshaker(6, false, bits, false, false);
        }
        if (setting.equals("no-takeover")) return new PerMessageDeflateServerExtensionHandshaker(6, false, 15, true, true);
        return new PerMessageDeflateServerExtensionHandshaker();
    }

    /** Adds the handlers for the rest of the handshake, depending on the path. */
    static class Router extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            String path = request.uri().split("\\?")[0];
            if (path.matches("/4\\d\\d")) {
                FullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(Integer.parseInt(path.substring(1))),
                    Unpooled.wrappedBuffer(utf8("no entry\n")));
                response.headers().set("Content-Length", 9);
                context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
                return;
            }
            ChannelPipeline pipeline = context.pipeline();
            if (path.startsWith("/compression/")) {
                String setting = path.substring("/compression/".length());
                pipeline.addLast(new WebSocketServerExtensionHandler(deflateServer(setting)));
            }
            int id = NEXT.incrementAndGet();
            Frames frames = new Frames(id, context.channel(), true);
            pipeline.addLast(new Acceptor(frames), new WebSocketFrameAggregator(MAX_MESSAGE), frames);
            context.fireChannelRead(request.retain());
        }
    }

    static class Acceptor extends SimpleChannelInboundHandler<FullHttpRequest> {
        final Frames frames;

        Acceptor(Frames frames) {
            this.frames = frames;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            String offered = request.headers().get("Sec-WebSocket-Protocol");
            String first = offered == null ? null : offered.split(",")[0].trim();
            String target = request.uri();
            new WebSocketServerHandshakerFactory("ws://localhost" + target, first, true, MAX_MESSAGE)
                .newHandshaker(request).handshake(context.channel(), request)
                .addListener(done -> {
                    if (done.isSuccess()) frames.opened(target);
                    else System.err.println(target + ": " + done.cause());
                });
        }
    }

    static void connect(int id, String[] words) {
        URI uri = URI.create(words[0]);
        String protocols = words[1].isEmpty() ? null : words[1];
        WebSocketClientHandshaker handshaker = WebSocketClientHandshakerFactory.newHandshaker(
            uri, WebSocketVersion.V13, protocols, true, new DefaultHttpHeaders(), MAX_MESSAGE);
        new Bootstrap().group(GROUP).channel(NioSocketChannel.class)
            .handler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                    ChannelPipeline pipeline = channel.pipeline();
                    pipeline.addLast(new HttpClientCodec(), new HttpObjectAggregator(65536));
                    if (!words[2].isEmpty()) pipeline.addLast(new WebSocketClientExtensionHandler(deflateClient(words[2])));
                    Frames frames = new Frames(id, channel, false);
                    pipeline.addLast(new Connector(id, handshaker, frames), new WebSocketFrameAggregator(MAX_MESSAGE), frames);
                }
            })
            .connect(uri.getHost(), uri.getPort());
    }

    static PerMessageDeflateClientExtensionHandshaker deflateClient(String setting) {
        if (setting.equals("no-takeover")) return new PerMessageDeflateClientExtensionHandshaker(6, false, 15, true, true);
        return new PerMessageDeflateClientExtensionHandshaker();
    }

    static class Connector extends SimpleChannelInboundHandler<FullHttpResponse> {
        final int id;
        final WebSocketClientHandshaker handshaker;
        final Frames frames;

        Connector(int id, WebSocketClientHandshaker handshaker, Frames frames) {
            this.id = id;
            this.handshaker = handshaker;
            this.frames = frames;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            handshaker.handshake(context.channel());
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            if (response.status().code() != 101) {
                tell(id, 'R', coded(response.status().code(), ByteBufUtil.getBytes(response.content())));
                context.close();
                return;
            }
            handshaker.finishHandshake(context.channel(), response);
            frames.opened(handshaker.actualSubprotocol());
        }
    }

    /** One open connection. */
    static class Frames extends SimpleChannelInboundHandler<WebSocketFrame> {
        final int id;
        final Channel channel;
        final boolean server;
        boolean fragmented; // inside a message that is being sent; used by one thread
        volatile boolean closing;

        Frames(int id, Channel channel, boolean server) {
            this.id = id;
            this.channel = channel;
            this.server = server;
        }

        void opened(String what) {
            OPEN.put(id, this);
            tell(id, 'O', utf8(what));
        }

        void write(int kind, byte[] payload) {
            ByteBuf buffer = Unpooled.wrappedBuffer(payload);
            switch (kind) {
                case 'T' -> channel.writeAndFlush(new TextWebSocketFrame(buffer));
                case 'B' -> channel.writeAndFlush(new BinaryWebSocketFrame(buffer));
                case 'F', 'H', 'G' -> {
                    boolean last = kind == 'G';
                    if (fragmented) channel.writeAndFlush(new ContinuationWebSocketFrame(last, 0, buffer));
                    else if (kind == 'H') channel.writeAndFlush(new BinaryWebSocketFrame(last, 0, buffer));
                    else channel.writeAndFlush(new TextWebSocketFrame(last, 0, buffer));
                    fragmented = !last;
                }
                case 'P' -> channel.writeAndFlush(new PingWebSocketFrame(buffer));
                case 'C' -> {
                    closing = true;
                    channel.writeAndFlush(new CloseWebSocketFrame(true, 0, buffer));
                }
                default -> channel.close();
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
            byte[] payload = ByteBufUtil.getBytes(frame.content());
            if (frame instanceof TextWebSocketFrame) tell(id, 'T', payload);
            else if (frame instanceof BinaryWebSocketFrame) tell(id, 'B', payload);
            else if (frame instanceof PongWebSocketFrame) tell(id, 'P', payload);
            else if (frame instanceof PingWebSocketFrame) context.writeAndFlush(new PongWebSocketFrame(frame.content().retain()));
            else if (frame instanceof CloseWebSocketFrame) {
                tell(id, 'C', payload.length < 2 ? coded(1005, payload) : payload);
                if (!closing) context.writeAndFlush(frame.retain());
                // The server has to end the transport (RFC 6455 section 7.1.1).
                if (server) context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            tell(id, 'E', utf8("the transport ended"));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            tell(id, 'E', utf8(cause.toString()));
            context.close();
        }
    }
}
